/*
 * Models saved and loaded: the bytes that others expect, all or nothing, and files that survive whatever happens while
 * they are replaced.
 */
#define _XOPEN_SOURCE 700 /* symlink, mkdtemp */
#include "gradus.h"
#include "foreign_files.h"
#include "ledger.h"
#include "sources.h"
#include "test.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

/* ---- A model ---- */

typedef struct model {
    gr_graph *g;
    gr_tensor weight, bias, labels, mask;
} model;

static model make_model(gr_graph *g)
{
    model m = {.g = g};
    m.weight = gr_param(g, "fc1.weight", GR_F64, GR_SHAPE(2, 3), (double[]){0, 0.25, 0.5, 0.75, 1, 1.25});
    m.bias = gr_param(g, "fc1.bias", GR_F32, GR_SHAPE(3), (float[]){1, -1, 0.5f});
    m.labels = gr_named(gr_constant(g, GR_I32, GR_SHAPE(3), (int32_t[]){3, 1, 2}), "labels");
    m.mask = gr_named(gr_constant(g, GR_BOOL, GR_SHAPE(2, 1), (uint8_t[]){1, 0}), "mask");
    return m;
}

#define ALL(m) \
    .n = 4, .tensors = (const gr_tensor[]) { (m).labels, (m).bias, (m).mask, (m).weight }

static void spoil(const model *m)
{
    CHECK(gr_write(m->weight, (double[]){9, 9, 9, 9, 9, 9}, 6) == GR_OK);
    CHECK(gr_write(m->bias, (float[]){9, 9, 9}, 3) == GR_OK);
    CHECK(gr_write(m->labels, (int32_t[]){9, 9, 9}, 3) == GR_OK);
    CHECK(gr_write(m->mask, (uint8_t[]){1, 1}, 2) == GR_OK);
}

/* Whether all have the values of make_model, or those of spoil. */
static bool is_as_made(const model *m, bool spoilt)
{
    double w[6];
    float b[3];
    int32_t l[3];
    uint8_t k[2];
    CHECK(gr_read(m->weight, w, 6) == GR_OK && gr_read(m->bias, b, 3) == GR_OK);
    CHECK(gr_read(m->labels, l, 3) == GR_OK && gr_read(m->mask, k, 2) == GR_OK);
    bool same = true;
    for (int i = 0; i < 6; i++) same &= w[i] == (spoilt ? 9 : i * 0.25);
    for (int i = 0; i < 3; i++) same &= b[i] == (spoilt ? 9 : (const float[]){1, -1, 0.5f}[i]);
    for (int i = 0; i < 3; i++) same &= l[i] == (spoilt ? 9 : (const int32_t[]){3, 1, 2}[i]);
    return same && k[0] == 1 && k[1] == spoilt;
}

/* ---- What is written ---- */

/* Byte for byte what the reference writes; in whatever order the tensors are given. */
static void test_bytes(void)
{
    gr_graph *g = gr_graph_create(NULL);
    const model m = make_model(g);
    blob b = {NULL, 0, 0};
    CHECK(gr_save_to(g, blob_write, &b, &(gr_save_options){ALL(m)}) == GR_OK);
    CHECK(blob_is(&b, BYTES(st_model)));
    blob_free(&b);
    const gr_tensor reversed[] = {m.weight, m.mask, m.bias, m.labels};
    CHECK(gr_save_to(g, blob_write, &b, &(gr_save_options){.n = 4, .tensors = reversed}) == GR_OK);
    CHECK(blob_is(&b, BYTES(st_model)));
    blob_free(&b);
    gr_graph_destroy(g);
}

static void test_loads_what_others_wrote(void)
{
    gr_graph *g = gr_graph_create(NULL);
    const model m = make_model(g);
    spoil(&m);
    gr_safetensors *f = gr_safetensors_parse(g, BYTES(st_model));
    CHECK(gr_load_from(g, f, &(gr_load_options){ALL(m)}) == GR_OK);
    CHECK(is_as_made(&m, false));
    gr_graph_destroy(g);
}

/* Whatever bits an element has, whatever strides and however many axes a tensor. */
static void test_round_trip(void)
{
    gr_graph *g = gr_graph_create(NULL);
    const uint32_t bits[] = {0x7FC12345, 0xFF812345, 0x80000000, 0x00000001, 0x7F800000, 0x3F800000};
    float values[6];
    memcpy(values, bits, sizeof values);
    const gr_tensor odd = gr_param(g, "odd", GR_F32, GR_SHAPE(2, 3), values);
    const gr_tensor saved[] = {gr_named(gr_transpose(odd, 0, 1), "turned"),
                               gr_named(gr_slice(odd, 1, -1, GR_SLICE_DEFAULT, -2), "reversed"),
                               gr_named(gr_expand(gr_select(odd, 0, 1), GR_SHAPE(4, 3)), "expanded"),
                               gr_param(g, "scalar", GR_F64, GR_SCALAR, (double[]){0.1}),
                               gr_param(g, "empty", GR_F64, GR_SHAPE(3, 0, 2), NULL),
                               odd};
    blob b = {NULL, 0, 0};
    CHECK(gr_save_to(g, blob_write, &b, &(gr_save_options){.n = 6, .tensors = saved}) == GR_OK);
    CHECK(b.n % 8 == (6 + 4 + 12 + 6) * 4 % 8);
    gr_graph *other = gr_graph_create(NULL);
    gr_safetensors *f = gr_safetensors_parse(other, b.bytes, b.n);
    CHECK(gr_safetensors_count(f) == 6);
    for (int i = 0; i < 6; i++) {
        const gr_tensor t = gr_safetensors_tensor(other, f, gr_safetensors_find(f, gr_name(saved[i])));
        const int64_t count = gr_count(saved[i]);
        const gr_shape here = gr_shape_of(t), there = gr_shape_of(saved[i]);
        unsigned char x[64] = {0}, y[64] = {1};
        CHECK(gr_read(saved[i], x, count) == GR_OK && gr_read(t, y, count) == GR_OK);
        CHECK(memcmp(x, y, (size_t)count * gr_type_size(gr_type_of(t))) == 0);
        CHECK(here.ndim == there.ndim && memcmp(&here, &there, sizeof(int64_t) * (size_t)here.ndim) == 0);
    }
    gr_graph_destroy(other);
    gr_graph_destroy(g);
    blob_free(&b);
}

/* A net with batch norm, saved and loaded by default, predicts the same: running figures go with the parameters, and so
   does a constant of one's own. */
static void test_model_state(void)
{
    gr_graph *g[2];
    gr_batch_norm_layer norm[2];
    gr_tensor own[2], y[2];
    blob b = {NULL, 0, 0}, run = {NULL, 0, 0};
    for (int i = 0; i < 2; i++) {
        g[i] = gr_graph_create(NULL);
        norm[i] = gr_batch_norm_layer_create(g[i], "norm", GR_F64, 3);
        own[i] = gr_named(gr_constant(g[i], GR_I32, GR_SHAPE(2), (int32_t[]){i, i}), "seen");
        CHECK(!gr_is_model_state(own[i]) && gr_is_model_state(norm[i].running_mean));
        CHECK(gr_is_valid(gr_set_model_state(own[i], true)) && gr_is_model_state(own[i]));
        CHECK(!gr_is_param(own[i]) && gr_param_count(g[i]) == 2);
    }
    const gr_tensor x = gr_normal(g[0], GR_F64, GR_SHAPE(8, 3), 4, 2);
    gr_batch_norm_layer_forward(norm[0], x, true);
    CHECK(gr_save_to(g[0], blob_write, &b, NULL) == GR_OK);
    CHECK(gr_save_training_to(g[0], blob_write, &run, NULL) == GR_OK);
    for (int k = 0; k < 2; k++) {
        gr_safetensors *f = gr_safetensors_parse(g[1], k ? run.bytes : b.bytes, k ? run.n : b.n);
        CHECK(gr_safetensors_count(f) == 5 + k);
        CHECK((k ? gr_load_training_from(g[1], f, NULL) : gr_load_from(g[1], f, NULL)) == GR_OK);
        const gr_tensor same = gr_constant(g[1], GR_F64, GR_SHAPE(8, 3), gr_data(x));
        y[0] = gr_batch_norm_layer_forward(norm[0], x, false);
        y[1] = gr_batch_norm_layer_forward(norm[1], same, false);
        CHECK(memcmp(gr_data(y[0]), gr_data(y[1]), 24 * sizeof(double)) == 0);
        CHECK(GR_AT(own[1], 1) == 0);
        gr_write(own[1], (int32_t[]){7, 7}, 2);
        gr_batch_norm_layer_forward(norm[1], gr_exp(same), true);
    }
    gr_set_model_state(own[1], false);
    gr_safetensors *f = gr_safetensors_parse(g[1], b.bytes, b.n);
    CHECK(gr_load_from(g[1], f, NULL) == GR_ERR_NAME);
    CHECK_TEXT(gr_graph_error(g[1]), "there is a tensor \"seen\"");
    gr_graph_clear_error(g[1]);
    CHECK(!gr_is_valid(gr_set_model_state(norm[1].weight, true)) && gr_graph_status(g[1]) == GR_ERR_STATE);
    gr_graph_clear_error(g[1]);
    CHECK(!gr_is_valid(gr_set_model_state(gr_exp(own[1]), true)));
    gr_graph_clear_error(g[1]);
    CHECK(!gr_is_valid(gr_set_model_state(gr_constant(g[1], GR_F32, GR_SCALAR, NULL), true)));
    CHECK(gr_graph_status(g[1]) == GR_ERR_NAME);
    CHECK_TEXT(gr_graph_error(g[1]), "set_model_state: it needs a name");
    gr_graph_destroy(g[0]);
    gr_graph_destroy(g[1]);
    blob_free(&b);
    blob_free(&run);
}

/* Data begin at a multiple of 8 bytes, whatever the length of the names, and tensors at one of their elements. */
static void test_alignment(void)
{
    char name[32] = "";
    for (int length = 1; length < 20; length++) {
        gr_graph *g = gr_graph_create(NULL);
        name[length - 1] = 'n';
        gr_param(g, name, GR_F32, GR_SHAPE(3), NULL);
        gr_param(g, "d", GR_F64, GR_SHAPE(1), NULL);
        blob b = {NULL, 0, 0};
        CHECK(gr_save_to(g, blob_write, &b, NULL) == GR_OK);
        CHECK((b.n - 20) % 8 == 0);
        gr_safetensors *f = gr_safetensors_parse(g, b.bytes, b.n);
        const gr_safetensors_entry d = gr_safetensors_at(f, gr_safetensors_find(f, "d"));
        CHECK(d.data && ((const uint8_t *)d.data - b.bytes) % 8 == 0);
        gr_graph_destroy(g);
        blob_free(&b);
    }
}

static void test_names_and_metadata(void)
{
    gr_graph *g = gr_graph_create(NULL);
    const char *odd = "\"\\/\b\f\n\r\t\x01\x1f\x7f é 😀";
    gr_param(g, odd, GR_F32, GR_SHAPE(1), NULL);
    const gr_metadata pairs[] = {{"", odd}, {odd, ""}, {"k", "v"}};
    blob b = {NULL, 0, 0};
    CHECK(gr_save_to(g, blob_write, &b, &(gr_save_options){.n_metadata = 3, .metadata = pairs}) == GR_OK);
    gr_safetensors *f = gr_safetensors_parse(g, b.bytes, b.n);
    CHECK(gr_safetensors_find(f, odd) == 0);
    CHECK(gr_safetensors_metadata_count(f) == 3);
    for (int i = 0; i < 3; i++) {
        CHECK(strcmp(gr_safetensors_metadata(f, pairs[i].key), pairs[i].value) == 0);
        CHECK(strcmp(gr_safetensors_metadata_at(f, i).key, pairs[i].key) == 0);
    }
    gr_graph_destroy(g);
    blob_free(&b);
}

/* ---- Which tensors ---- */

static void test_selections(void)
{
    gr_graph *g = gr_graph_create(NULL);
    const char *const names[] = {"encoder.w", "encoder.b", "decoder.w"};
    gr_tensor p[3];
    for (int i = 0; i < 3; i++) p[i] = gr_param(g, names[i], GR_F64, GR_SCALAR, (double[]){i + 1});
    blob whole = {NULL, 0, 0}, part = {NULL, 0, 0}, renamed = {NULL, 0, 0};
    CHECK(gr_save_to(g, blob_write, &whole, NULL) == GR_OK);
    CHECK(gr_save_to(g, blob_write, &part, &(gr_save_options){.prefix = "encoder."}) == GR_OK);
    const char *const other_names[] = {"x", "y", "z"};
    CHECK(gr_save_to(g, blob_write, &renamed,
                     &(gr_save_options){.n = 3, .tensors = p, .names = other_names}) == GR_OK);
    for (int i = 0; i < 3; i++) gr_write(p[i], (double[]){0}, 1);

    gr_safetensors *f = gr_safetensors_parse(g, part.bytes, part.n);
    CHECK(gr_safetensors_count(f) == 2);
    CHECK(gr_load_from(g, f, NULL) == GR_ERR_NAME);
    CHECK_TEXT(gr_graph_error(g), "load: memory: there is no tensor \"decoder.w\", expected F64 [] (0 more");
    gr_graph_clear_error(g);
    CHECK(gr_load_from(g, f, &(gr_load_options){.prefix = "encoder."}) == GR_OK);
    CHECK(gr_item(p[0]) == 1 && gr_item(p[1]) == 2 && gr_item(p[2]) == 0);
    /* One of two. */
    gr_write(p[0], (double[]){0}, 1);
    CHECK(gr_load_from(g, f, &(gr_load_options){.n = 1, .tensors = p}) == GR_ERR_NAME);
    CHECK_TEXT(gr_graph_error(g),
               "there is a tensor \"encoder.b\", F64 [], that nothing here is named after");
    gr_graph_clear_error(g);
    CHECK(gr_load_from(g, f, &(gr_load_options){.n = 1, .tensors = p, .allow_others = true}) == GR_OK);
    CHECK(gr_item(p[0]) == 1);
    /* A prefix: others are not looked at, those of the prefix are. */
    gr_safetensors *all = gr_safetensors_parse(g, whole.bytes, whole.n);
    CHECK(gr_load_from(g, all, &(gr_load_options){.prefix = "decoder"}) == GR_OK && gr_item(p[2]) == 3);
    CHECK(gr_load_from(g, all, &(gr_load_options){.n = 1, .tensors = p, .prefix = "enc"}) == GR_ERR_NAME);
    CHECK_TEXT(gr_graph_error(g), "\"encoder.b\"");
    gr_graph_clear_error(g);
    CHECK(gr_load_from(g, all, &(gr_load_options){.prefix = "coder"}) == GR_ERR_NAME);
    CHECK_TEXT(gr_graph_error(g), "load: none of 3 names begins with \"coder\"");
    gr_graph_clear_error(g);
    /* Other names. */
    gr_safetensors *xyz = gr_safetensors_parse(g, renamed.bytes, renamed.n);
    gr_write(p[1], (double[]){0}, 1);
    CHECK(gr_load_from(g, xyz, &(gr_load_options){.n = 3, .tensors = p, .names = other_names}) == GR_OK);
    CHECK(gr_item(p[1]) == 2);
    gr_graph_destroy(g);
    blob_free(&whole);
    blob_free(&part);
    blob_free(&renamed);
}

static void save_fails(gr_graph *g, gr_save_options o, gr_status status, const char *part)
{
    blob b = {NULL, 0, 0};
    CHECK(gr_save_to(g, blob_write, &b, &o) == status);
    CHECK(b.n == 0);
    CHECK(gr_graph_status(g) == status);
    CHECK_TEXT(gr_graph_error(g), part);
    gr_graph_clear_error(g);
    blob_free(&b);
}

#define TENSORS(...) ((const gr_tensor[]){__VA_ARGS__})
#define LIST(...)    .n = GR_COUNT_(gr_tensor, __VA_ARGS__), .tensors = TENSORS(__VA_ARGS__)

static void test_refuses_to_save(void)
{
    gr_graph *g = gr_graph_create(NULL), *other = gr_graph_create(NULL);
    save_fails(g, (gr_save_options){.n = 0}, GR_ERR_ARGUMENT, "save: the graph has no parameters");
    const gr_tensor p = gr_param(g, "p", GR_F32, GR_SHAPE(2), NULL), none = gr_zeros(g, GR_F32, GR_SHAPE(2));
    const gr_tensor foreign = gr_param(other, "f", GR_F32, GR_SHAPE(2), NULL);
    const gr_tensor meta = gr_named(gr_zeros(g, GR_F32, GR_SHAPE(2)), "__metadata__");
    const gr_tensor bad = gr_named(gr_zeros(g, GR_F32, GR_SHAPE(2)), "a\xff");
    gr_tensor stale = gr_exp(p);
    save_fails(g, (gr_save_options){.n = -1}, GR_ERR_ARGUMENT, "save: -1 tensors");
    save_fails(g, (gr_save_options){.n = 2}, GR_ERR_ARGUMENT, "save: 2 tensors at NULL");
    save_fails(g, (gr_save_options){.names = (const char *[]){"x"}}, GR_ERR_ARGUMENT, "names are for a list");
    save_fails(g, (gr_save_options){LIST(p, none)}, GR_ERR_NAME, "save: tensor 1 of the list has no name");
    save_fails(g, (gr_save_options){LIST(p), .names = (const char *[]){""}}, GR_ERR_NAME, "has no name");
    save_fails(g, (gr_save_options){LIST(p), .names = (const char *[]){NULL}}, GR_ERR_NAME, "has no name");
    save_fails(g, (gr_save_options){LIST(p, p)}, GR_ERR_NAME, "save: two tensors of one name: \"p\"");
    save_fails(g, (gr_save_options){LIST(meta)}, GR_ERR_NAME, "a name that the format has for itself");
    save_fails(g, (gr_save_options){LIST(bad)}, GR_ERR_NAME, "a name that is no UTF-8");
    save_fails(g, (gr_save_options){.prefix = "q"}, GR_ERR_NAME, "none of 1 names begins with \"q\"");
    save_fails(g, (gr_save_options){LIST(p, foreign)}, GR_ERR_GRAPH, "save: a tensor of another graph");
    save_fails(g, (gr_save_options){LIST(p, GR_NONE)}, GR_ERR_HANDLE, "save: an invalid handle");
    save_fails(g, (gr_save_options){LIST(p, {g, 0, 0})}, GR_ERR_HANDLE, "save: invalid handle");
    gr_graph_reset(g);
    save_fails(g, (gr_save_options){LIST(p, stale)}, GR_ERR_STALE, "save: stale handle");
    const gr_metadata null_value[] = {{"k", NULL}}, same_key[] = {{"k", "1"}, {"k", "2"}},
                      not_utf8[] = {{"\xc3", ""}};
    save_fails(g, (gr_save_options){.n_metadata = 1, .metadata = null_value}, GR_ERR_ARGUMENT,
               "pair 0 of the");
    save_fails(g, (gr_save_options){.n_metadata = 1, .metadata = not_utf8}, GR_ERR_ARGUMENT, "pair 0 of the");
    save_fails(g, (gr_save_options){.n_metadata = 2, .metadata = same_key}, GR_ERR_ARGUMENT,
               "have the key \"k\"");
    save_fails(g, (gr_save_options){.n_metadata = -1}, GR_ERR_ARGUMENT, "-1 pairs of metadata");
    save_fails(g, (gr_save_options){.n_metadata = 1}, GR_ERR_ARGUMENT, "1 pairs of metadata");
    CHECK(gr_save(g, NULL, NULL) == GR_ERR_ARGUMENT);
    CHECK_TEXT(gr_graph_error(g), "save: no path");
    CHECK(gr_save(g, "x", NULL) == GR_ERR_ARGUMENT); /* pending */
    gr_graph_clear_error(g);
    CHECK(gr_save_to(g, NULL, NULL, NULL) == GR_ERR_ARGUMENT);
    CHECK(gr_save(NULL, "x", NULL) == GR_ERR_HANDLE && gr_load(NULL, "x", NULL) == GR_ERR_HANDLE);
    gr_graph_destroy(g);
    gr_graph_destroy(other);
}

/* ---- All or nothing ---- */

/* Loads into a model that differs in one thing from the file: the error says which, and nothing has changed. */
static void load_fails(const model *m, gr_load_options o, const char *bytes, size_t n, gr_status status,
                       const char *part)
{
    const gr_tensor square = gr_square(m->weight); /* a history, which a change would make unusable */
    gr_safetensors *f = gr_safetensors_parse(m->g, bytes, n);
    CHECK(gr_load_from(m->g, f, &o) == status);
    CHECK(gr_graph_status(m->g) == status);
    CHECK_TEXT(gr_graph_error(m->g), part);
    gr_graph_clear_error(m->g);
    gr_safetensors_close(f);
    CHECK(is_as_made(m, true));
    CHECK(gr_backward(gr_sum(square, GR_ALL_AXES, false)) == GR_OK);
    gr_clear_grads(m->g);
    gr_graph_reset(m->g);
}

static void test_strict(void)
{
    gr_graph *g = gr_graph_create(NULL);
    model m = make_model(g);
    spoil(&m);
    const gr_tensor more = gr_param(g, "fc2.weight", GR_F64, GR_SHAPE(4, 5), NULL);
    const gr_tensor shape = gr_param(g, "shape", GR_F64, GR_SHAPE(3, 2), NULL);
    const gr_tensor ndim = gr_param(g, "ndim", GR_F64, GR_SHAPE(2, 3, 1), NULL);
    const gr_tensor type = gr_param(g, "type", GR_F32, GR_SHAPE(2, 3), NULL);
    const char *const names[] = {"labels", "fc1.bias", "mask", "fc1.weight", "fc2.weight"};
    load_fails(&m, (gr_load_options){LIST(m.labels, m.bias, m.mask, m.weight, more)}, BYTES(st_model),
               GR_ERR_NAME,
               "load: memory: there is no tensor \"fc2.weight\", expected F64 [4, 5] (0 more are missing)");
    load_fails(&m, (gr_load_options){LIST(m.labels, m.bias, m.weight)}, BYTES(st_model), GR_ERR_NAME,
               "load: memory: there is a tensor \"mask\", BOOL [2, 1], that nothing here is named after");
    load_fails(&m, (gr_load_options){LIST(m.labels, m.bias, m.mask, shape), .names = names}, BYTES(st_model),
               GR_ERR_SHAPE, "load: memory: \"fc1.weight\" is F64 [2, 3] in the file, expected F64 [3, 2]");
    load_fails(&m, (gr_load_options){LIST(m.labels, m.bias, m.mask, ndim), .names = names}, BYTES(st_model),
               GR_ERR_SHAPE, "\"fc1.weight\" is F64 [2, 3] in the file, expected F64 [2, 3, 1]");
    load_fails(&m, (gr_load_options){LIST(m.labels, m.bias, m.mask, type), .names = names}, BYTES(st_model),
               GR_ERR_TYPE, "\"fc1.weight\" is F64 [2, 3] in the file, expected F32 [2, 3]");
    /* The last byte is one of the mask, the others are good. */
    char bytes[sizeof st_model];
    memcpy(bytes, st_model, sizeof bytes);
    bytes[sizeof bytes - 2] = 7;
    load_fails(&m, (gr_load_options){ALL(m)}, bytes, sizeof bytes - 1, GR_ERR_FORMAT,
               "load: memory: tensor \"mask\": element 1 is 7: a mask has 0 and 1");
    /* A result is no place to read into. */
    const gr_tensor result = gr_named(gr_exp(m.weight), "fc1.weight");
    load_fails(&m, (gr_load_options){LIST(m.labels, m.bias, m.mask, result)}, BYTES(st_model), GR_ERR_STATE,
               "only parameters, constants and gradients can be written: \"fc1.weight\"");
    CHECK(gr_load_from(g, NULL, NULL) == GR_ERR_HANDLE);
    gr_graph_destroy(g);
}

/* What shares the elements keeps the old ones; what was recorded notices. */
static void test_writes_as_others_do(void)
{
    gr_graph *g = gr_graph_create(NULL);
    const model m = make_model(g);
    spoil(&m);
    const gr_tensor kept = gr_keep(m.weight), loss = gr_sum(gr_square(m.weight), GR_ALL_AXES, false);
    gr_safetensors *f = gr_safetensors_parse(g, BYTES(st_model));
    CHECK(gr_load_from(g, f, &(gr_load_options){ALL(m)}) == GR_OK);
    CHECK(is_as_made(&m, false) && GR_AT(kept, 0, 0) == 9);
    CHECK(gr_backward(loss) == GR_ERR_MODIFIED);
    gr_graph_clear_error(g);
    /* Gradients can be saved and loaded as any other tensor. */
    CHECK(gr_backward(gr_sum(gr_square(m.weight), GR_ALL_AXES, false)) == GR_OK);
    const gr_tensor gradient = gr_gradient(m.weight);
    const char *const name = "gradient";
    blob b = {NULL, 0, 0};
    CHECK(gr_save_to(g, blob_write, &b, &(gr_save_options){.n = 1, .tensors = &gradient, .names = &name}) ==
          GR_OK);
    gr_write(gradient, (double[6]){0}, 6);
    f = gr_safetensors_parse(g, b.bytes, b.n);
    CHECK(gr_load_from(g, f, &(gr_load_options){.n = 1, .tensors = &gradient, .names = &name}) == GR_OK);
    CHECK(GR_AT(gradient, 1, 2) == 2.5);
    gr_graph_destroy(g);
    blob_free(&b);
}

/* Memory runs out at any point of loading: the values are all old, or all new. */
static void test_every_allocation_fails(void)
{
    bool whole = false;
    int failures = 0;
    for (long n = 0; !whole && n < 1000; n++) {
        ledger books = {0};
        gr_graph *g = ledger_graph(&books, 0);
        const model m = make_model(g);
        spoil(&m);
        gr_keep(m.weight), gr_keep(m.bias); /* loading needs new elements for them */
        gr_safetensors *f = gr_safetensors_parse(g, BYTES(st_model));
        gr_graph_trim(g);
        books.fail_at = books.calls + n;
        books.fail_after = true;
        whole = gr_load_from(g, f, &(gr_load_options){ALL(m)}) == GR_OK && n > 0;
        failures += gr_graph_status(g) != GR_OK;
        if (n > 0) CHECK(gr_graph_status(g) == (whole ? GR_OK : GR_ERR_MEMORY) && is_as_made(&m, !whole));
        gr_graph_destroy(g);
        CHECK(ledger_balances(&books));
    }
    CHECK(whole && failures > 3);
}

/* ---- Writers that refuse ---- */

static void test_writers_that_refuse(void)
{
    gr_graph *g = gr_graph_create(NULL);
    const model m = make_model(g);
    for (size_t most = 1; most < sizeof st_model - 1; most++) {
        blob b = {NULL, 0, most};
        CHECK(gr_save_to(g, blob_write, &b, &(gr_save_options){ALL(m)}) == GR_ERR_IO);
        CHECK_TEXT(gr_graph_error(g), "save: the writer did not take the bytes");
        CHECK(b.n <= most && (b.n == 0 || memcmp(b.bytes, st_model, b.n) == 0));
        gr_graph_clear_error(g);
        blob_free(&b);
    }
    gr_graph_destroy(g);
}

/* ---- Files ---- */

#define DIRECTORY "test_save_files"
#define PATH      DIRECTORY "/model.safetensors"

/* The number of files, hidden ones included. */
static int count_files(const char *path)
{
    DIR *directory = opendir(path);
    int n = 0;
    for (struct dirent *e; directory && (e = readdir(directory));)
        n += strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0;
    if (directory) closedir(directory);
    return n;
}

static void empty_directory(void)
{
    mkdir(DIRECTORY, 0777);
    chmod(DIRECTORY, 0755);
    DIR *directory = opendir(DIRECTORY);
    for (struct dirent *e; directory && (e = readdir(directory));) {
        char path[512];
        snprintf(path, sizeof path, DIRECTORY "/%s", e->d_name);
        if (e->d_name[0] != '.') remove(path);
    }
    if (directory) closedir(directory);
    CHECK(count_files(DIRECTORY) == 0);
}

static void write_text(const char *path, const char *text)
{
    FILE *file = fopen(path, "wb");
    CHECK(file && fputs(text, file) >= 0 && fclose(file) == 0);
}

static bool is_model(const char *path)
{
    blob b = blob_of_file(path);
    const bool same = blob_is(&b, BYTES(st_model));
    blob_free(&b);
    return same;
}

static bool is_text(const char *path, const char *text)
{
    blob b = blob_of_file(path);
    const bool same = blob_is(&b, text, strlen(text));
    blob_free(&b);
    return same;
}

static mode_t mode_of(const char *path)
{
    struct stat info;
    return stat(path, &info) == 0 ? info.st_mode & 07777 : 0;
}

static void test_files(void)
{
    empty_directory();
    gr_graph *g = gr_graph_create(NULL);
    const model m = make_model(g);
    const gr_save_options o = {ALL(m)};
    const mode_t mask = umask(027);
    CHECK(gr_save(g, PATH, &o) == GR_OK && is_model(PATH) && count_files(DIRECTORY) == 1);
    CHECK(mode_of(PATH) == 0640);
    umask(mask);
    /* One that is there is replaced, and keeps its permissions. */
    write_text(PATH, "old");
    chmod(PATH, 0604);
    CHECK(gr_save(g, PATH, &o) == GR_OK && is_model(PATH) && count_files(DIRECTORY) == 1);
    CHECK(mode_of(PATH) == 0604);
    spoil(&m);
    CHECK(gr_load(g, PATH, &(gr_load_options){ALL(m)}) == GR_OK && is_as_made(&m, false));
    /* A link stays one, to a file elsewhere or to nothing yet. */
    CHECK(mkdir(DIRECTORY "/sub", 0777) == 0);
    write_text(DIRECTORY "/sub/real", "old");
    CHECK(symlink("sub/real", DIRECTORY "/link") == 0 && symlink("new", DIRECTORY "/dangling") == 0);
    CHECK(gr_save(g, DIRECTORY "/link", &o) == GR_OK && gr_save(g, DIRECTORY "/dangling", &o) == GR_OK);
    struct stat info;
    CHECK(lstat(DIRECTORY "/link", &info) == 0 && S_ISLNK(info.st_mode));
    CHECK(lstat(DIRECTORY "/dangling", &info) == 0 && S_ISLNK(info.st_mode));
    CHECK(is_model(DIRECTORY "/sub/real") && is_model(DIRECTORY "/new") &&
          count_files(DIRECTORY "/sub") == 1);
    /* What others left behind is not touched, and no obstacle. */
    char left[128];
    for (int i = 0; i < 3; i++) {
        snprintf(left, sizeof left, PATH ".%ld-%d.part", (long)getpid(), i);
        write_text(left, "of someone who was killed");
    }
    CHECK(gr_save(g, PATH, &o) == GR_OK && is_model(PATH) && is_text(left, "of someone who was killed"));
    /* In the directory where one is. */
    CHECK(gr_save(g, "test_save_here.safetensors", &o) == GR_OK && is_model("test_save_here.safetensors"));
    remove("test_save_here.safetensors");
    remove(DIRECTORY "/sub/real");
    remove(DIRECTORY "/sub");
    gr_graph_destroy(g);
}

static void save_file_fails(const model *m, const char *path, const char *part, int error)
{
    char text[256];
    snprintf(text, sizeof text, "save: %s %s: %s", part, path, strerror(error));
    CHECK(gr_save(m->g, path, &(gr_save_options){ALL(*m)}) == GR_ERR_IO);
    CHECK_TEXT(gr_graph_error(m->g), text);
    gr_graph_clear_error(m->g);
}

/* Files grow to `bytes` at most from here on. */
static void limit_files(rlim_t bytes)
{
    struct rlimit limit;
    CHECK(getrlimit(RLIMIT_FSIZE, &limit) == 0);
    limit.rlim_cur = bytes == RLIM_INFINITY ? limit.rlim_max : bytes;
    CHECK(setrlimit(RLIMIT_FSIZE, &limit) == 0);
}

static void test_files_that_cannot_be_written(void)
{
    empty_directory();
    gr_graph *g = gr_graph_create(NULL);
    const model m = make_model(g);
    save_file_fails(&m, DIRECTORY "/no/such/place", "cannot make a file beside", ENOENT);
    write_text(DIRECTORY "/file", "old");
    save_file_fails(&m, DIRECTORY "/file/below", "cannot make a file beside", ENOTDIR);
    save_file_fails(&m, DIRECTORY, "cannot open", EISDIR);
    char name[300];
    memset(name, 'n', sizeof name);
    memcpy(name, DIRECTORY "/", sizeof DIRECTORY);
    name[299] = '\0';
    save_file_fails(&m, name, "cannot make a file beside", ENAMETOOLONG);
    CHECK(is_text(DIRECTORY "/file", "old") && count_files(DIRECTORY) == 1);
    /* A device that is always full is written directly, and survives. */
    struct stat info;
    if (stat("/dev/full", &info) == 0) {
        save_file_fails(&m, "/dev/full", "cannot write", ENOSPC);
        CHECK(stat("/dev/full", &info) == 0 && S_ISCHR(info.st_mode));
    }
    /* A disk that is full at any byte. */
    signal(SIGXFSZ, SIG_IGN);
    write_text(PATH, "old");
    for (rlim_t bytes = 0; bytes < sizeof st_model - 1; bytes += bytes < 16 ? 1 : 37) {
        limit_files(bytes);
        save_file_fails(&m, PATH, "cannot write", EFBIG);
        limit_files(RLIM_INFINITY);
        CHECK(is_text(PATH, "old") && count_files(DIRECTORY) == 2);
    }
    limit_files(sizeof st_model - 1);
    CHECK(gr_save(g, PATH, &(gr_save_options){ALL(m)}) == GR_OK && is_model(PATH));
    limit_files(RLIM_INFINITY);
    signal(SIGXFSZ, SIG_DFL);
    gr_graph_destroy(g);
}

/* Runs f in a process of its own and returns how that ended. */
static int in_child(void (*f)(void))
{
    fflush(NULL);
    const pid_t child = fork();
    if (child == 0) {
        test_failures = 0;
        f();
        fflush(NULL);
        _exit(test_failures > 0);
    }
    int status = -1;
    CHECK(child > 0 && waitpid(child, &status, 0) == child);
    return status;
}

/* Without the right to make files there; not as root, who has it. */
static void without_rights(void)
{
    if (geteuid() == 0) CHECK(setgid(65534) == 0 && setuid(65534) == 0);
    gr_graph *g = gr_graph_create(NULL);
    const model m = make_model(g);
    /* The directory can be entered, and its file read, but neither replaced nor written. */
    CHECK(is_text(PATH, "old"));
    save_file_fails(&m, PATH, "cannot make a file beside", EACCES);
    gr_graph_destroy(g);
}

static void test_directories_that_are_read_only(void)
{
    empty_directory();
    write_text(PATH, "old");
    chmod(PATH, 0644);
    chmod(DIRECTORY, 0555);
    CHECK(in_child(without_rights) == 0);
    chmod(DIRECTORY, 0755);
    CHECK(is_text(PATH, "old") && count_files(DIRECTORY) == 1);
}

/* ---- Deaths ---- */

/* The system kills this one in the middle of the file, by SIGXFSZ. */
static void killed_by_the_limit(void)
{
    limit_files(300);
    const struct rlimit no_core = {0, 0};
    setrlimit(RLIMIT_CORE, &no_core);
    signal(SIGXFSZ, SIG_DFL);
    gr_graph *g = gr_graph_create(NULL);
    const model m = make_model(g);
    gr_save(g, PATH, &(gr_save_options){ALL(m)});
}

static void test_death_in_the_middle(void)
{
    empty_directory();
    write_text(PATH, "old");
    const int status = in_child(killed_by_the_limit);
    CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGXFSZ);
    CHECK(is_text(PATH, "old"));
    CHECK(count_files(DIRECTORY) == 2); /* and what it has left behind */
    gr_graph *g = gr_graph_create(NULL);
    const model m = make_model(g);
    CHECK(gr_save(g, PATH, &(gr_save_options){ALL(m)}) == GR_OK && is_model(PATH));
    gr_graph_destroy(g);
}

/* Saves 1 MB again and again, its elements all the number of the time. */
enum { LARGE = 1 << 18 };
static void saves_for_ever(void)
{
    gr_graph *g = gr_graph_create(NULL);
    const gr_tensor p = gr_param(g, "p", GR_F32, GR_SHAPE(LARGE), NULL);
    for (float i = 1;; i++) {
        gr_init_constant(p, i);
        if (gr_save(g, PATH, NULL) != GR_OK) return;
    }
}

/* A process is killed when a new file has been begun, ten times: what is there is one of those that it has saved, whole. */
static void test_kill(void)
{
    empty_directory();
    gr_graph *g = gr_graph_create(NULL);
    const gr_tensor p = gr_param(g, "p", GR_F32, GR_SHAPE(LARGE), NULL);
    CHECK(gr_save(g, PATH, NULL) == GR_OK);
    for (int round = 0; round < 10; round++) {
        empty_directory();
        CHECK(gr_save(g, PATH, NULL) == GR_OK);
        fflush(NULL);
        const pid_t child = fork();
        if (child == 0) {
            saves_for_ever();
            _exit(0);
        }
        int status = 0;
        for (int seen = 0; seen <= round && waitpid(child, &status, WNOHANG) == 0;)
            seen += count_files(DIRECTORY) > 1;
        CHECK(kill(child, SIGKILL) == 0);
        CHECK(waitpid(child, &status, 0) == child && WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
        CHECK(gr_load(g, PATH, NULL) == GR_OK);
        const float *x = gr_data(p);
        int others = 0;
        for (int i = 0; i < LARGE; i++) others += x[i] != x[0];
        CHECK(others == 0);
        CHECK(count_files(DIRECTORY) <= 2);
    }
    empty_directory();
    gr_graph_destroy(g);
}

int main(void)
{
    RUN(test_bytes);
    RUN(test_loads_what_others_wrote);
    RUN(test_round_trip);
    RUN(test_model_state);
    RUN(test_alignment);
    RUN(test_names_and_metadata);
    RUN(test_selections);
    RUN(test_refuses_to_save);
    RUN(test_strict);
    RUN(test_writes_as_others_do);
    RUN(test_every_allocation_fails);
    RUN(test_writers_that_refuse);
    RUN(test_files);
    RUN(test_files_that_cannot_be_written);
    RUN(test_directories_that_are_read_only);
    RUN(test_death_in_the_middle);
    RUN(test_kill);
    return TEST_EXIT;
}
