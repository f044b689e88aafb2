/* The functions of gradus/dot.h: options are checked before a file is opened, then the picture is made and written. */
#include "draw/picture.h"
#include "draw/output.h"

/* Checks all that can be checked before a file is opened; fills in root and options. */
static gr_status begin(gri_picture *p, gr_tensor root, const gr_dot_options *options)
{
    gr_graph *g = root.graph;
    *p = (gri_picture){.g = g};
    if (!g) return GR_ERR_HANDLE;
    if (g->status != GR_OK) return g->status;
    p->root = gri_resolve(root, "dot");
    return p->root ? gri_dot_options(p, options) : g->status;
}

/* A gri_draw. */
static gr_status draw(void *picture, gr_writer *write, void *user)
{
    gri_picture *p = picture;
    const bool scalars = p->options.mode == GR_DOT_SCALARS;
    gr_status status = scalars ? gri_dot_neurons(p) : gri_dot_select(p);
    if (status == GR_OK && !scalars) status = gri_dot_scope(p);
    if (status == GR_OK) {
        gri_text_begin(&p->text, write, user, p->options.ascii);
        status = gri_dot_text(p);
        if (!gri_text_end(&p->text) && status == GR_OK) status = GR_ERR_IO;
    }
    gri_dot_unneuron(p);
    gri_dot_unscope(p);
    gri_dot_unselect(p);
    return status;
}

gr_status gr_dot_write(gr_tensor root, gr_writer *write, void *user, const gr_dot_options *options)
{
    gri_picture p;
    const gr_status status = begin(&p, root, options);
    return status == GR_OK ? gri_output(p.g, "dot", draw, &p, write, user) : status;
}

gr_status gr_dot_write_string(gr_tensor root, char *to, size_t room, size_t *length,
                              const gr_dot_options *options)
{
    gri_picture p;
    const gr_status status = begin(&p, root, options);
    return status == GR_OK ? gri_output_string(p.g, "dot", draw, &p, to, room, length)
                           : gri_output_nothing(status, to, room, length);
}

gr_status gr_dot_write_file(gr_tensor root, const char *path, const gr_dot_options *options)
{
    gri_picture p;
    const gr_status status = begin(&p, root, options);
    return status == GR_OK ? gri_output_file(p.g, "dot", draw, &p, path) : status;
}
