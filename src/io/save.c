/*
 * Models: which tensors a user means, planned, written, read.
 *
 * Invariant: gr_save and gr_load take the same list for the same options.
 */
#include "gradus/save.h"
#include "io/plan.h"
#include "io/json.h"
#include "io/replace.h"

#include <string.h>

/* What the options of saving and loading have in common. */
typedef struct selection {
    int n;
    const gr_tensor *tensors;
    const char *const *names;
    const char *prefix;
} selection;

static gr_status check_selection(const gri_plan *p, const selection *s)
{
    gr_graph *g = p->g;
    if (s->n < 0 || (s->n > 0 && !s->tensors))
        return gri_fail(g, GR_ERR_ARGUMENT, "%s: %d tensors%s", p->call, s->n, s->n > 0 ? " at NULL" : "");
    if (s->n == 0 && s->names)
        return gri_fail(g, GR_ERR_ARGUMENT, "%s: names are for a list of tensors", p->call);
    if (s->n == 0 && g->n_params == 0 && !gri_next_model_state(g, NULL))
        return gri_fail(g, GR_ERR_ARGUMENT, "%s: the graph has no parameters", p->call);
    return GR_OK;
}

/* The name of tensor i, or NULL and the error set. */
static const char *name_of(const gri_plan *p, const selection *s, gr_tensor t, int i)
{
    const gri_node *node = s->names || t.graph != p->g ? NULL : gri_resolve(t, p->call);
    if (p->g->status != GR_OK) return NULL;
    const char *name = s->names ? s->names[i] : node && node->name ? node->name : "";
    if (name && (*name || t.graph != p->g)) return name; /* a foreign handle gets its own error */
    gri_fail(p->g, GR_ERR_NAME, "%s: tensor %d of the list has no name", p->call, i);
    return NULL;
}

/* Tensor i of those that are meant, unless its name does not begin as it should. */
static gr_status add_tensor(gri_plan *p, const selection *s, gr_tensor t, int i)
{
    const char *name = name_of(p, s, t, i);
    if (!name) return p->g->status;
    if (s->prefix && strncmp(name, s->prefix, strlen(s->prefix)) != 0) return GR_OK;
    return gri_plan_add(p, t, GRI_PARTS(name));
}

static gr_status make_plan(gri_plan *p, const selection *s)
{
    gr_graph *g = p->g;
    gr_status status = check_selection(p, s);
    const gri_node *state = s->n == 0 ? gri_next_model_state(g, NULL) : NULL;
    int n = s->n > 0 ? s->n : (int)g->n_params;
    for (int i = 0; i < n && status == GR_OK; i++)
        status = add_tensor(p, s, s->n > 0 ? s->tensors[i] : gr_param_at(g, i), i);
    for (; state && status == GR_OK; state = gri_next_model_state(g, state))
        status = add_tensor(p, s, gri_handle(g, state), n++);
    if (status == GR_OK && p->n == 0)
        status = gri_fail(g, GR_ERR_NAME, "%s: none of %d names begins with \"%s\"", p->call, n, s->prefix);
    return status == GR_OK ? gri_plan_finish(p) : status;
}

/* ---- Saving ---- */

static gr_status check_metadata(gr_graph *g, const gr_save_options *o)
{
    if (o->n_metadata < 0 || (o->n_metadata > 0 && !o->metadata))
        return gri_fail(g, GR_ERR_ARGUMENT, "save: %d pairs of metadata", o->n_metadata);
    for (int i = 0; i < o->n_metadata; i++) {
        const gr_metadata m = o->metadata[i];
        if (!m.key || !m.value || !gri_utf8_is_valid(m.key) || !gri_utf8_is_valid(m.value))
            return gri_fail(g, GR_ERR_ARGUMENT, "save: pair %d of the metadata is not of texts in UTF-8", i);
        for (int k = 0; k < i; k++)
            if (strcmp(o->metadata[k].key, m.key) == 0)
                return gri_fail(g, GR_ERR_ARGUMENT, "save: two pairs of the metadata have the key \"%s\"",
                                m.key);
    }
    return GR_OK;
}

/* To the path, or else through the writer. */
static gr_status save(gr_graph *g, const char *path, gr_writer *write, void *user,
                      const gr_save_options *options)
{
    if (!g) return GR_ERR_HANDLE;
    if (g->status != GR_OK) return g->status;
    const gr_save_options o = options ? *options : (gr_save_options){0};
    gri_plan p = gri_plan_begin(g, "save");
    gr_status status = check_metadata(g, &o);
    if (status == GR_OK) status = make_plan(&p, &(selection){o.n, o.tensors, o.names, o.prefix});
    gri_plan_file file = {&p, o.metadata, o.n_metadata};
    if (status == GR_OK)
        status = path ? gri_replace_file(g, p.call, path, gri_plan_write, &file)
                      : gri_write_through(g, p.call, write, user, gri_plan_write, &file);
    gri_plan_end(&p);
    return status;
}

gr_status gr_save(gr_graph *g, const char *path, const gr_save_options *options)
{
    return save(g, path ? path : "", NULL, NULL, options);
}

gr_status gr_save_to(gr_graph *g, gr_writer *write, void *user, const gr_save_options *options)
{
    return save(g, NULL, write, user, options);
}

/* ---- Loading ---- */

gr_status gr_load_from(gr_graph *g, const gr_safetensors *file, const gr_load_options *options)
{
    if (!g) return GR_ERR_HANDLE;
    if (g->status != GR_OK) return g->status;
    if (!file) return gri_fail(g, GR_ERR_HANDLE, "load: there is no file");
    const gr_load_options o = options ? *options : (gr_load_options){0};
    gri_plan p = gri_plan_begin(g, "load");
    gr_status status = make_plan(&p, &(selection){o.n, o.tensors, o.names, o.prefix});
    if (status == GR_OK) status = gri_plan_check(&p, file, &(gri_others){o.allow_others, o.prefix});
    if (status == GR_OK) status = gri_plan_open(&p);
    if (status == GR_OK) gri_plan_commit(&p, file);
    gri_plan_end(&p);
    return status;
}

gr_status gr_load(gr_graph *g, const char *path, const gr_load_options *options)
{
    gr_safetensors *file = gr_safetensors_open(g, path);
    if (!file) return gr_graph_status(g);
    const gr_status status = gr_load_from(g, file, options);
    gr_safetensors_close(file);
    return status;
}
