/*
 * Errors are values: each code of gr_status is provoked by a public call; the first one sticks, its message
 * says what was where, nothing runs while it is pending, and after clearing the graph trains on as if nothing
 * had been.
 */
#include "gradus.h"
#include "ledger.h"
#include "test.h"

/* ---- A graph to make errors in ---- */

typedef struct fixture {
    ledger books;
    gr_graph *g, *other;
    gr_tensor w, b, data; /* of a small model */
    gr_tensor x, fc1;     /* [32, 784] and [512, 10], f32: they do not fit */
    gr_tensor labels;     /* i32 [3] */
    gr_tensor foreign;    /* of the other graph */
    gr_tensor loss;       /* of the small model */
    gr_tensor result;     /* what the failing call returned, if it returns a tensor */
    gr_status status;     /* what it returned, if it returns a status */
    bool returns_tensor;
} fixture;

static const double w_start[] = {0.5, -0.25, 0.125, 1.5, -1, 0.75}, b_start[] = {0.1, -0.2, 0.3};
static const double data_values[] = {1, 2, -1, 0.5, 0.25, -3, 2, 1};

static void make_model(gr_graph *g, gr_tensor *w, gr_tensor *b, gr_tensor *data)
{
    *w = gr_param(g, "w", GR_F64, GR_SHAPE(2, 3), w_start);
    *b = gr_param(g, "b", GR_F64, GR_SHAPE(3), b_start);
    *data = gr_constant(g, GR_F64, GR_SHAPE(4, 2), data_values);
}

static gr_tensor model_loss(gr_tensor w, gr_tensor b, gr_tensor data)
{
    return gr_mean(gr_square(gr_tanh(gr_add(gr_matmul(data, w), b))), GR_ALL_AXES, false);
}

/* One step of gradient descent; the new weights are read into out[9]. */
static gr_status train_step(gr_tensor w, gr_tensor b, gr_tensor data, double *out)
{
    gr_graph *g = w.graph;
    gr_clear_grads(g);
    gr_status status = gr_backward(model_loss(w, b, data));
    gr_no_grad_begin(g);
    gr_assign(w, gr_sub(w, gr_scale(gr_gradient(w), 0.1)));
    gr_assign(b, gr_sub(b, gr_scale(gr_gradient(b), 0.1)));
    gr_no_grad_end(g);
    if (status == GR_OK) status = gr_read(w, out, 6);
    if (status == GR_OK) status = gr_read(b, out + 6, 3);
    return status == GR_OK ? gr_graph_status(g) : status;
}

static void setup(fixture *f)
{
    static const int32_t labels[] = {0, 1, 2};
    memset(f, 0, sizeof *f);
    f->g = ledger_graph(&f->books, 0);
    f->other = gr_graph_create(NULL);
    make_model(f->g, &f->w, &f->b, &f->data);
    f->x = gr_named(gr_constant(f->g, GR_F32, GR_SHAPE(32, 784), NULL), "x");
    f->fc1 = gr_param(f->g, "fc1.weight", GR_F32, GR_SHAPE(512, 10), NULL);
    f->labels = gr_named(gr_constant(f->g, GR_I32, GR_SHAPE(3), labels), "labels");
    f->foreign = gr_param(f->other, "foreign", GR_F64, GR_SHAPE(2, 3), NULL);
    f->loss = model_loss(f->w, f->b, f->data);
}

static void teardown(fixture *f)
{
    gr_graph_destroy(f->g);
    gr_graph_destroy(f->other);
    CHECK(ledger_balances(&f->books));
}

static void returned(fixture *f, gr_tensor t)
{
    f->result = t;
    f->returns_tensor = true;
    f->status = gr_graph_status(f->g);
}

/* ---- One provocation per row ---- */

static void inner_sizes(fixture *f) { returned(f, gr_matmul(f->x, f->fc1)); }
static void no_broadcast(fixture *f) { returned(f, gr_add(f->w, gr_ones(f->g, GR_F64, GR_SHAPE(2, 4)))); }
static void reshape_count(fixture *f) { returned(f, gr_reshape(f->w, GR_SHAPE(4, 2))); }
static void negative_size(fixture *f) { returned(f, gr_zeros(f->g, GR_F64, GR_SHAPE(2, -3))); }
static void squeeze_two(fixture *f) { returned(f, gr_squeeze(f->w, GR_AXES(0))); }
static void expand_two(fixture *f) { returned(f, gr_expand(f->w, GR_SHAPE(4, 3))); }
static void max_of_nothing(fixture *f)
{
    returned(f, gr_max(gr_zeros(f->g, GR_F64, GR_SHAPE(0, 2)), GR_AXES(0), false));
}
static void min_of_nothing(fixture *f)
{
    returned(f, gr_min(gr_zeros(f->g, GR_F64, GR_SHAPE(0, 2)), GR_AXES(0), false));
}
static void position_in_nothing(fixture *f)
{
    returned(f, gr_argmax(gr_zeros(f->g, GR_F64, GR_SHAPE(2, 0)), 1, false));
}
static void std_of_labels(fixture *f) { returned(f, gr_std(f->labels, GR_ALL_AXES, 1, false)); }
static void var_axis(fixture *f) { returned(f, gr_var(f->w, GR_AXES(2), 1, false)); }
static void norm_of_no_order(fixture *f)
{
    returned(f, gr_vector_norm(f->w, (double)NAN, GR_ALL_AXES, false));
}
static void any_of_numbers(fixture *f) { returned(f, gr_any(f->w, GR_ALL_AXES, false)); }
static void cumsum_axis(fixture *f) { returned(f, gr_cumsum(f->w, -3)); }
static void cumprod_of_labels(fixture *f) { returned(f, gr_cumprod(f->labels, 0)); }
static void stack_shapes(fixture *f)
{
    const gr_tensor both[] = {f->w, f->b};
    returned(f, gr_stack(2, both, 0));
}
static void stack_of_graphs(fixture *f)
{
    const gr_tensor both[] = {f->w, f->foreign};
    returned(f, gr_stack(2, both, 0));
}
static void stack_axis(fixture *f) { returned(f, gr_stack(1, &f->w, 3)); }
static void unequal_parts(fixture *f)
{
    gr_tensor parts[2];
    f->status = gr_split(f->w, 1, 2, NULL, parts);
    f->result = parts[1];
    f->returns_tensor = true;
}
static void tile_negative(fixture *f) { returned(f, gr_tile(f->w, GR_SHAPE(2, -1))); }
static void tile_too_often(fixture *f) { returned(f, gr_tile(f->w, GR_SHAPE(INT64_MAX, 2))); }
static void repeat_short(fixture *f) { returned(f, gr_repeat(f->w, GR_SHAPE(2))); }
static void interleave_negative(fixture *f) { returned(f, gr_repeat_interleave(f->w, 0, -2)); }
static void flip_twice(fixture *f) { returned(f, gr_flip(f->w, GR_AXES(0, -2))); }
static void roll_axis(fixture *f) { returned(f, gr_roll(f->w, 2, 1)); }
static void pad_negative(fixture *f)
{
    returned(f, gr_pad(f->w, GR_SHAPE(0, -1), GR_SHAPE(0, 0), GR_PAD_CONSTANT, 0));
}
static void pad_short_list(fixture *f)
{
    returned(f, gr_pad(f->w, GR_SHAPE(1), GR_SHAPE(0, 0), GR_PAD_CONSTANT, 0));
}
static void reflect_all(fixture *f)
{
    returned(f, gr_pad(f->w, GR_SHAPE(0, 0), GR_SHAPE(0, 3), GR_PAD_REFLECT, 0));
}
static void wrap_twice(fixture *f)
{
    returned(f, gr_pad(f->w, GR_SHAPE(3, 0), GR_SHAPE(0, 0), GR_PAD_CIRCULAR, 0));
}
static void no_pad_mode(fixture *f)
{
    returned(f, gr_pad(f->w, GR_SHAPE(1, 0), GR_SHAPE(0, 0), (gr_pad_mode)7, 0));
}
static void triangle_of_vector(fixture *f) { returned(f, gr_triu(f->b, 0)); }
static void diag_of_stack(fixture *f) { returned(f, gr_diag(gr_named(gr_unsqueeze(f->w, 0), "stack"), 0)); }
static void diagonal_of_one_axis(fixture *f) { returned(f, gr_diagonal(f->w, 0, 1, -1)); }
static void embedded_beyond(fixture *f) { returned(f, gr_diag_embed(f->b, INT64_MIN)); }
static void long_windows(fixture *f) { returned(f, gr_unfold(f->w, 1, 4, 1)); }
static void windows_on_the_spot(fixture *f) { returned(f, gr_unfold(f->w, 1, 2, 0)); }
static void take_along_no_axis(fixture *f) { returned(f, gr_take_along_axis(f->w, 0, f->labels)); }
static void embedding_position(fixture *f) { returned(f, gr_embedding(f->w, f->labels, GR_NO_PADDING)); }
static void embedding_negative(fixture *f)
{
    returned(f, gr_embedding(f->w, gr_full(f->g, GR_I32, GR_SHAPE(2), -1), GR_NO_PADDING));
}
static void embedding_padding(fixture *f)
{
    returned(f, gr_embedding(f->w, gr_full(f->g, GR_I32, GR_SHAPE(2), 1), 2));
}
static void fill_by_numbers(fixture *f) { returned(f, gr_masked_fill(f->w, f->b, 0)); }
static void fill_by_larger(fixture *f)
{
    returned(f, gr_masked_fill(f->b, gr_named(gr_full(f->g, GR_BOOL, GR_SHAPE(2, 3), 1), "mask"), 0));
}
static void select_shapes(fixture *f)
{
    returned(f, gr_masked_select(f->w, gr_named(gr_full(f->g, GR_BOOL, GR_SHAPE(2), 1), "mask")));
}
static void nonzero_numbers(fixture *f) { returned(f, gr_flatnonzero(f->b)); }
static void linspace_of_labels(fixture *f) { returned(f, gr_linspace(f->g, GR_I32, 3, 0, 1)); }
static void singular_system(fixture *f)
{
    const gr_tensor a = gr_named(gr_ones(f->g, GR_F64, GR_SHAPE(3, 3)), "a");
    returned(f, gr_solve(a, f->b));
}
static void indefinite(fixture *f)
{
    returned(f, gr_cholesky(gr_named(gr_zeros(f->g, GR_F64, GR_SHAPE(2, 2)), "a")));
}
static void inverse_of_oblong(fixture *f) { returned(f, gr_inv(f->w)); }
static void determinant_of_vector(fixture *f) { returned(f, gr_det(f->b)); }
static void equations_differ(fixture *f)
{
    returned(f, gr_solve(gr_named(gr_eye(f->g, GR_F64, 3, 3), "a"), f->w));
}
static void solve_types(fixture *f)
{
    returned(f, gr_solve(gr_named(gr_eye(f->g, GR_F32, 2, 2), "a"), f->w));
}
static void no_right_side(fixture *f)
{
    returned(f, gr_solve(gr_named(gr_eye(f->g, GR_F64, 2, 2), "a"), gr_scalar(f->g, GR_F64, 1)));
}
static void other_triangle(fixture *f) { returned(f, gr_solve_triangular(f->w, f->b, 8)); }
static void dot_of_matrix(fixture *f) { returned(f, gr_dot(f->b, f->w)); }
static void trace_of_vector(fixture *f) { returned(f, gr_trace(f->b)); }
static void einsum_sizes(fixture *f)
{
    const gr_tensor both[] = {f->w, f->data};
    returned(f, gr_einsum("ij,jk->ik", 2, both));
}
static void einsum_of_graphs(fixture *f)
{
    const gr_tensor both[] = {f->w, f->foreign};
    returned(f, gr_einsum("ij,ij", 2, both));
}
static void short_write(fixture *f) { f->status = gr_write(f->w, w_start, 5); }
static void item_of_many(fixture *f)
{
    CHECK(isnan(gr_item(f->w)));
    f->status = gr_graph_status(f->g);
}
static void batch_shapes(fixture *f)
{
    returned(f,
             gr_matmul(gr_zeros(f->g, GR_F64, GR_SHAPE(2, 4, 3)), gr_zeros(f->g, GR_F64, GR_SHAPE(3, 3, 4))));
}
static void mixed_types(fixture *f) { returned(f, gr_add(f->fc1, f->w)); }
static void sine_of_labels(fixture *f) { returned(f, gr_sin(f->labels)); }
static void integer_param(fixture *f) { returned(f, gr_param(f->g, "p", GR_I32, GR_SHAPE(1), NULL)); }
static void no_type(fixture *f) { returned(f, gr_zeros(f->g, (gr_type)17, GR_SHAPE(1))); }
static void no_type_cast(fixture *f) { returned(f, gr_cast(f->w, (gr_type)17)); }
static void float_index(fixture *f) { returned(f, gr_index_select(f->w, 0, f->b)); }
static void derivative_of_labels(fixture *f) { returned(f, gr_derivative(f->labels, f->w)); }
static void other_graph(fixture *f) { returned(f, gr_mul(f->w, f->foreign)); }
static void foreign_input(fixture *f)
{
    gr_tensor gradient;
    f->status = gr_grad(1, &f->loss, 1, &f->foreign, NULL, NULL, &gradient);
    f->result = gradient;
    f->returns_tensor = true;
}
static void foreign_cotangent(fixture *f)
{
    f->status = gr_backward_with(f->loss, &(gr_backward_options){.cotangent = f->foreign});
}
static void cotangent_of_same_count(fixture *f)
{
    const gr_tensor h = gr_named(gr_tanh(f->w), "h"), u = gr_ones(f->g, GR_F64, GR_SHAPE(3, 2));
    f->status = gr_backward_with(h, &(gr_backward_options){.cotangent = u});
}
static void cotangent_of_other_type(fixture *f)
{
    const gr_tensor h = gr_named(gr_tanh(f->w), "h"), u = gr_ones(f->g, GR_F32, GR_SHAPE(2, 3));
    f->status = gr_backward_with(h, &(gr_backward_options){.cotangent = u});
}
static void grad_of_labels(fixture *f)
{
    const gr_tensor one = gr_named(gr_full(f->g, GR_I32, GR_SCALAR, 1), "one");
    gr_tensor gradient;
    f->status = gr_grad(1, &one, 1, &f->w, NULL, NULL, &gradient);
    f->result = gradient;
    f->returns_tensor = true;
}
static void data_of_strided(fixture *f)
{
    CHECK(gr_data(gr_transpose(f->w, 0, 1)) == NULL);
    f->status = gr_graph_status(f->g);
}
static void smallish_dims(fixture *f) { returned(f, gr_zeros(f->g, GR_F64, GR_SHAPE(INT32_MAX, INT32_MAX))); }
static void joined_too_long(fixture *f)
{
    const gr_tensor half = gr_zeros(f->g, GR_BOOL, GR_SHAPE(0, INT64_MAX / 2)), parts[] = {half, half, half};
    returned(f, gr_concat(3, parts, 1));
}
static void open_result(fixture *f)
{
    CHECK(gr_data_for_writing(gr_tanh(f->w)) == NULL);
    f->status = gr_graph_status(f->g);
}
static void foreign_survivor(fixture *f)
{
    const gr_scope scope = gr_scope_begin(f->g);
    f->status = gr_scope_end(scope, 1, &f->foreign);
}
static void after_reset(fixture *f)
{
    const gr_tensor h = gr_tanh(f->w);
    gr_graph_reset(f->g);
    returned(f, gr_add(h, f->w));
}
static void replaced_after_reset(fixture *f)
{
    const gr_tensor h = gr_tanh(f->w);
    gr_graph_reset(f->g);
    for (int i = 0; i < 64; i++) gr_tanh(f->w); /* its place is taken, by several */
    returned(f, gr_sin(h));
}
static void after_scope(fixture *f)
{
    const gr_scope scope = gr_scope_begin(f->g);
    const gr_tensor h = gr_tanh(f->w);
    gr_scope_end(scope, 0, NULL);
    f->status = gr_backward(h);
}
static void after_release(fixture *f)
{
    const gr_tensor c = gr_keep(f->w);
    gr_release(c);
    gr_keep(f->w); /* takes its place */
    returned(f, gr_sub(c, f->w));
}
static void released_operand(fixture *f)
{
    const gr_tensor c = gr_keep(f->w), loss = gr_sum(gr_mul(c, f->w), GR_ALL_AXES, false);
    gr_release(c);
    f->status = gr_backward(loss);
}
static void stale_survivor(fixture *f)
{
    gr_tensor h = f->w;
    for (int i = 0; i < 1000; i++) h = gr_tanh(h);
    gr_graph_reset(f->g);
    const gr_scope scope = gr_scope_begin(f->g);
    gr_tanh(f->w);
    f->status = gr_scope_end(scope, 1, &h);
}
static void stale_gradient(fixture *f)
{
    gr_backward(f->loss);
    const gr_tensor gradient = gr_gradient(f->w);
    gr_clear_grads(f->g);
    returned(f, gr_scale(gradient, 2));
}
static void nine_axes(fixture *f)
{
    returned(f, gr_unsqueeze(gr_zeros(f->g, GR_F64, GR_SHAPE(1, 1, 1, 1, 1, 1, 1, 1)), 0));
}
static void nine_axes_asked(fixture *f)
{
    gr_shape shape = {.ndim = 9};
    returned(f, gr_zeros(f->g, GR_F64, shape));
}
static void nine_axes_by_index(fixture *f)
{
    const gr_tensor eight = gr_zeros(f->g, GR_F64, GR_SHAPE(1, 1, 1, 1, 1, 1, 1, 1));
    const gr_tensor index = gr_zeros(f->g, GR_I32, GR_SHAPE(1, 1));
    returned(f, gr_index_select(eight, 0, index));
}
static void nine_axes_by_add(fixture *f)
{
    const gr_tensor eight = gr_zeros(f->g, GR_F64, GR_SHAPE(1, 1, 1, 1, 1, 1, 1, 1));
    returned(f, gr_index_add(eight, 0, gr_zeros(f->g, GR_I32, GR_SCALAR), 1));
}
static void scalar_product(fixture *f) { returned(f, gr_matmul(gr_zeros(f->g, GR_F64, GR_SCALAR), f->w)); }
static void too_few_indices(fixture *f)
{
    CHECK(isnan(GR_AT(f->w, 1)));
    f->status = gr_graph_status(f->g);
}
static void no_such_axis(fixture *f) { returned(f, gr_sum(f->w, GR_AXES(2), false)); }
static void no_negative_axis(fixture *f) { returned(f, gr_softmax(f->w, -3)); }
static void axis_twice(fixture *f) { returned(f, gr_mean(f->w, GR_AXES(1, -1), false)); }
static void permuted_twice(fixture *f) { returned(f, gr_permute(f->w, GR_AXES(0, 0))); }
static void dim_of_no_axis(fixture *f)
{
    CHECK(gr_dim(f->w, 2) == -1);
    f->status = gr_graph_status(f->g);
}
static void label_too_large(fixture *f) { returned(f, gr_one_hot(f->labels, 2, GR_F64)); }
static void index_outside(fixture *f)
{
    const int32_t at[] = {-4};
    returned(f, gr_index_select(f->b, 0, gr_constant(f->g, GR_I32, GR_SHAPE(1), at)));
}
static void index_just_outside(fixture *f)
{
    const int32_t at[] = {2, 3};
    returned(f, gr_index_select(f->b, 0, gr_constant(f->g, GR_I32, GR_SHAPE(2), at)));
}
static void element_outside(fixture *f)
{
    CHECK(isnan(GR_AT(f->w, 1, 3)));
    f->status = gr_graph_status(f->g);
}
static void select_outside(fixture *f) { returned(f, gr_select(f->w, 0, 2)); }
static void huge_dims(fixture *f)
{
    returned(f, gr_zeros(f->g, GR_F64, GR_SHAPE(INT64_MAX, INT64_MAX, INT64_MAX)));
}
static void huge_product(fixture *f)
{
    const int64_t d = INT64_C(1) << 31;
    returned(f, gr_expand(gr_ones(f->g, GR_F64, GR_SCALAR), GR_SHAPE(d, d)));
}
static void huge_beside_nothing(fixture *f)
{
    returned(f, gr_zeros(f->g, GR_F64, GR_SHAPE(0, INT64_MAX, INT64_MAX)));
}
static void same_name(fixture *f) { returned(f, gr_param(f->g, "w", GR_F64, GR_SHAPE(1), NULL)); }
static void unknown_name(fixture *f) { returned(f, gr_param_find(f->g, "nobody")); }
static void no_memory(fixture *f)
{
    f->books.fail_at = f->books.calls + 1;
    f->books.fail_after = true;
    returned(f, gr_zeros(f->g, GR_F64, GR_SHAPE(1000, 50)));
    f->books.fail_at = 0;
}
static void more_than_there_is(fixture *f)
{
    returned(f, gr_zeros(f->g, GR_F64, GR_SHAPE(1 << 20, 1 << 20)));
}
static void cotangent_needed(fixture *f) { f->status = gr_backward(gr_named(gr_tanh(f->w), "h")); }
static void no_history(fixture *f) { f->status = gr_backward(gr_sum(f->data, GR_ALL_AXES, false)); }
static void without_recording(fixture *f)
{
    gr_no_grad_begin(f->g);
    const gr_tensor loss = model_loss(f->w, f->b, f->data);
    gr_no_grad_end(f->g);
    f->status = gr_backward(loss);
}
static void backward_twice(fixture *f)
{
    CHECK(gr_backward(f->loss) == GR_OK);
    gr_clear_grads(f->g);
    f->status = gr_backward(f->loss);
}
static void grad_after_backward(fixture *f)
{
    CHECK(gr_backward(f->loss) == GR_OK);
    gr_clear_grads(f->g);
    gr_tensor gradient;
    f->status = gr_grad(1, &f->loss, 1, &f->w, NULL, NULL, &gradient);
    f->result = gradient;
    f->returns_tensor = true;
}
static void written_between(fixture *f)
{
    CHECK(gr_write(f->w, w_start, 6) == GR_OK);
    f->status = gr_backward(f->loss);
}
static void opened_between(fixture *f)
{
    CHECK(gr_data_for_writing(f->data) != NULL);
    f->status = gr_backward(f->loss);
}
static void gradient_too_early(fixture *f) { returned(f, gr_gradient(f->w)); }
static void gradient_of_interior(fixture *f)
{
    const gr_tensor h = gr_named(gr_tanh(f->w), "h");
    gr_backward(gr_sum(h, GR_ALL_AXES, false));
    gr_clear_grads(f->g);
    returned(f, gr_gradient(h));
}
static void reset_inside(fixture *f)
{
    const gr_scope scope = gr_scope_begin(f->g);
    f->status = gr_graph_reset(f->g);
    gr_scope_end(scope, 0, NULL);
}
static void scope_twice(fixture *f)
{
    const gr_scope scope = gr_scope_begin(f->g);
    CHECK(gr_scope_end(scope, 0, NULL) == GR_OK);
    f->status = gr_scope_end(scope, 0, NULL);
}
static void scopes_crossed(fixture *f)
{
    const gr_scope outer = gr_scope_begin(f->g), inner = gr_scope_begin(f->g);
    CHECK(gr_scope_end(outer, 0, NULL) == GR_OK);
    gr_scope_begin(f->g); /* of the depth that `inner` had not: that of `outer` */
    const gr_scope again = gr_scope_begin(f->g);
    f->status = gr_scope_end(inner, 0, NULL);
    gr_scope_end((gr_scope){again.graph, again.depth - 1, again.id - 1}, 0, NULL);
}
static void end_without_begin(fixture *f)
{
    gr_no_grad_end(f->g);
    f->status = gr_graph_status(f->g);
}
static void write_result(fixture *f) { f->status = gr_write(gr_named(gr_tanh(f->w), "h"), w_start, 6); }
static void rename_param(fixture *f) { returned(f, gr_named(f->w, "v")); }
static void slice_step_zero(fixture *f) { returned(f, gr_slice(f->w, 0, 0, 2, 0)); }
static void null_elements(fixture *f) { f->status = gr_write(f->w, NULL, 6); }
static void null_survivors(fixture *f)
{
    const gr_scope scope = gr_scope_begin(f->g);
    f->status = gr_scope_end(scope, 2, NULL);
    gr_scope_end(scope, 0, NULL);
}
static void invalid_operand(fixture *f) { returned(f, gr_mul(f->w, (gr_tensor){f->g, 0, 0})); }
static void unset_operand(fixture *f) { returned(f, gr_mul((gr_tensor){0}, f->w)); }
static void unset_survivor(fixture *f)
{
    const gr_tensor unset = {0};
    const gr_scope scope = gr_scope_begin(f->g);
    f->status = gr_scope_end(scope, 1, &unset);
}
static void system_refused(fixture *f)
{
    f->status = gr_graph_fail(f->g, GR_ERR_IO, "%s: %s", "open", "gone");
}
static void not_a_file(fixture *f) { f->status = gr_graph_fail(f->g, GR_ERR_FORMAT, "read: byte %d", 3); }

static gr_status like_first(const gr_call *c, gr_layout *out) { return gr_infer_like(c, out, 0); }
static gr_status refuse(const gr_call *c) { return c->n ? GR_ERR_CALLBACK : GR_OK; }
static gr_status copy_f64(const gr_call *c)
{
    memcpy(c->out->data, c->in[0]->data, (size_t)c->out->count * sizeof(double));
    return GR_OK;
}
static gr_tensor forgetful_rule(const gr_call *c, gr_tensor gy, int i)
{
    (void)gy, (void)i;
    return (gr_tensor){c->graph, 0, 0};
}
static gr_tensor large_rule(const gr_call *c, gr_tensor gy, int i)
{
    (void)gy, (void)i;
    return gr_ones(c->graph, GR_F64, GR_SHAPE(7));
}
static gr_tensor large_hook(gr_tensor gradient, gr_tensor of, void *user)
{
    (void)gradient, (void)user;
    return gr_ones(of.graph, GR_F64, GR_SHAPE(7));
}
static const gr_op no_rule = {.name = "no_rule", .arity = 1, .infer = like_first, .forward = copy_f64};
static const gr_op refusing = {.name = "refusing", .arity = 1, .infer = like_first, .forward = refuse};
static const gr_op forgetful = {
    .name = "forgetful", .arity = 1, .infer = like_first, .forward = copy_f64, .vjp = forgetful_rule};
static const gr_op too_large = {
    .name = "too_large", .arity = 1, .infer = like_first, .forward = copy_f64, .vjp = large_rule};
static const gr_op unfinished = {.name = "unfinished", .arity = 1, .infer = like_first};
static void recorded_without_rule(fixture *f) { returned(f, gr_apply(f->g, &no_rule, 1, &f->w, NULL)); }
static void forward_refuses(fixture *f) { returned(f, gr_apply(f->g, &refusing, 1, &f->data, NULL)); }
static void no_forward(fixture *f) { returned(f, gr_apply(f->g, &unfinished, 1, &f->data, NULL)); }
static void rule_forgets(fixture *f)
{
    f->status = gr_backward(gr_sum(gr_apply(f->g, &forgetful, 1, &f->b, NULL), GR_ALL_AXES, false));
}
static void rule_too_large(fixture *f)
{
    f->status = gr_backward(gr_sum(gr_apply(f->g, &too_large, 1, &f->b, NULL), GR_ALL_AXES, false));
}
static void logarithm_of_negative(fixture *f)
{
    gr_anomaly_begin(f->g, NULL);
    gr_log(f->w);
    f->status = gr_graph_status(f->g);
    gr_anomaly_end(f->g);
}
static void anomaly_twice(fixture *f)
{
    gr_anomaly_begin(f->g, NULL);
    f->status = gr_anomaly_begin(f->g, NULL);
    gr_anomaly_end(f->g);
}
static void hook_of_data(fixture *f)
{
    gr_add_hook(f->data, NULL, NULL);
    gr_graph_clear_error(f->g);
    CHECK(gr_add_hook(gr_named(f->data, "data"), large_hook, NULL).index == 0);
    f->status = gr_graph_status(f->g);
}
static void hook_too_large(fixture *f)
{
    const gr_hook hook = gr_add_hook(f->b, large_hook, NULL);
    f->status = gr_backward(gr_sum(f->b, GR_ALL_AXES, false));
    gr_remove_hook(hook);
}
static void hook_removed_twice(fixture *f)
{
    const gr_hook hook = gr_add_hook(f->b, large_hook, NULL);
    CHECK(gr_remove_hook(hook) == GR_OK);
    f->status = gr_remove_hook(hook);
}
static void nameless_scope(fixture *f)
{
    f->status = gr_name_scope_begin(f->g, "");
    gr_name_scope_end(f->g);
}
static void name_scope_not_begun(fixture *f) { f->status = gr_name_scope_end(f->g); }
static void arity(fixture *f) { returned(f, gr_apply(f->g, &no_rule, 2, &f->w, NULL)); }

typedef struct error_case {
    gr_status status;
    const char *name;
    void (*provoke)(fixture *f);
    const char *parts[4]; /* of the message */
} error_case;

#define CASE(STATUS, PROVOKE, ...)                 \
    {                                              \
        STATUS, #PROVOKE, PROVOKE, { __VA_ARGS__ } \
    }
static const error_case cases[] = {
    CASE(GR_ERR_SHAPE, inner_sizes,
         "matmul: inner sizes differ: x [32, 784] @ fc1.weight [512, 10] (784 vs 512)"),
    CASE(GR_ERR_SHAPE, no_broadcast, "add: ", "w [2, 3] + ", "[2, 4]"),
    CASE(GR_ERR_SHAPE, reshape_count, "reshape: ", "w [2, 3]", "[4, 2]"),
    CASE(GR_ERR_SHAPE, negative_size, "full: negative size", "[2, -3]"),
    CASE(GR_ERR_SHAPE, squeeze_two, "squeeze: ", "axis 0", "w [2, 3]"),
    CASE(GR_ERR_SHAPE, expand_two, "expand: ", "w [2, 3]", "[4, 3]"),
    CASE(GR_ERR_SHAPE, max_of_nothing, "max: ", "[0, 2]"),
    CASE(GR_ERR_SHAPE, min_of_nothing, "min: there is none of no elements: full [0, 2]"),
    CASE(GR_ERR_SHAPE, position_in_nothing, "argmax: there is none of no elements: full [2, 0]"),
    CASE(GR_ERR_TYPE, std_of_labels, "std: needs f32 or f64: labels i32 [3]"),
    CASE(GR_ERR_AXIS, var_axis, "var: axis out of range: w [2, 3] (2 of 2 axes)"),
    CASE(GR_ERR_ARGUMENT, norm_of_no_order, "vector_norm: the order is NaN: w [2, 3]"),
    CASE(GR_ERR_TYPE, any_of_numbers, "any: needs a mask of bool: w f64 [2, 3]"),
    CASE(GR_ERR_AXIS, cumsum_axis, "cumsum: axis -3 is out of range: w [2, 3]"),
    CASE(GR_ERR_TYPE, cumprod_of_labels, "cumprod: needs f32 or f64: labels i32 [3]"),
    CASE(GR_ERR_SHAPE, stack_shapes, "stack: shapes differ: w [2, 3], b [3] (operand 2)"),
    CASE(GR_ERR_GRAPH, stack_of_graphs, "stack: operand 2 belongs to another graph"),
    CASE(GR_ERR_AXIS, stack_axis, "stack: axis 3 is out of range: w [2, 3]"),
    CASE(GR_ERR_SHAPE, unequal_parts, "split: 2 equal parts of axis 1 are not possible: w [2, 3]"),
    CASE(GR_ERR_ARGUMENT, tile_negative, "tile: an axis of 3 repeated -1 times: w [2, 3]"),
    CASE(GR_ERR_OVERFLOW, tile_too_often, "tile: an axis of 2 repeated 9223372036854775807 times: w [2, 3]"),
    CASE(GR_ERR_NDIM, repeat_short, "repeat: numbers for 1 axes only: w [2, 3]"),
    CASE(GR_ERR_ARGUMENT, interleave_negative, "repeat_interleave: an axis of 2 repeated -2 times"),
    CASE(GR_ERR_AXIS, flip_twice, "flip: an axis is named twice: w [2, 3] (-2)"),
    CASE(GR_ERR_AXIS, roll_axis, "roll: axis 2 is out of range: w [2, 3]"),
    CASE(GR_ERR_ARGUMENT, pad_negative, "pad: a negative number of elements: w [2, 3] (-1 at axis 1)"),
    CASE(GR_ERR_NDIM, pad_short_list,
         "pad: needs a number for each axis, before and after: w [2, 3] (1 and 2 numbers)"),
    CASE(GR_ERR_SHAPE, reflect_all,
         "pad: the axis is too short for this mode: w [2, 3] (3 elements at axis 1)"),
    CASE(GR_ERR_SHAPE, wrap_twice,
         "pad: the axis is too short for this mode: w [2, 3] (3 elements at axis 0)"),
    CASE(GR_ERR_ARGUMENT, no_pad_mode, "pad: not a mode: w [2, 3] (7)"),
    CASE(GR_ERR_NDIM, triangle_of_vector, "triu: needs at least two axes: b [3]"),
    CASE(GR_ERR_NDIM, diag_of_stack, "diag: needs a vector or a matrix: stack [1, 2, 3]"),
    CASE(GR_ERR_AXIS, diagonal_of_one_axis, "diagonal: axis 1 is named twice: w [2, 3]"),
    CASE(GR_ERR_OVERFLOW, embedded_beyond, "diag_embed: an offset of -9223372036854775808: b [3]"),
    CASE(GR_ERR_SHAPE, long_windows, "unfold: windows of 4, 1 apart, along axis 1: w [2, 3]"),
    CASE(GR_ERR_ARGUMENT, windows_on_the_spot, "unfold: windows of 2, 0 apart, along axis 1: w [2, 3]"),
    CASE(GR_ERR_SHAPE, take_along_no_axis,
         "take_along_axis: shapes do not broadcast beside the axis: w [2, 3], labels [3] (axis 0)"),
    CASE(GR_ERR_INDEX, embedding_position,
         "embedding: position outside the rows: w [2, 3], labels [3] (position 2 of 2 rows)"),
    CASE(GR_ERR_INDEX, embedding_negative, "embedding: position outside the rows", "(position -1 of 2 rows)"),
    CASE(GR_ERR_INDEX, embedding_padding, "embedding: row 2 for padding: w [2, 3]"),
    CASE(GR_ERR_TYPE, fill_by_numbers, "masked_fill: the mask must be bool: w f64 [2, 3], b f64 [3]"),
    CASE(GR_ERR_SHAPE, fill_by_larger,
         "masked_fill: the mask does not broadcast to the operand: b [3], mask [2, 3]"),
    CASE(GR_ERR_SHAPE, select_shapes, "masked_select: shapes do not broadcast: w [2, 3], mask [2]"),
    CASE(GR_ERR_TYPE, nonzero_numbers, "flatnonzero: needs a mask of bool", "f64 [3]"),
    CASE(GR_ERR_TYPE, linspace_of_labels, "linspace: needs f32 or f64"),
    CASE(GR_ERR_SINGULAR, singular_system, "solve: the matrix is singular: a [3, 3], ",
         "(matrix 0, no pivot in column 1)"),
    CASE(GR_ERR_SINGULAR, indefinite,
         "cholesky: the matrix is not positive definite: a [2, 2] (matrix 0, pivot 0 is 0)"),
    CASE(GR_ERR_SHAPE, inverse_of_oblong, "inv: the matrix is not square: w [2, 3] (2 by 3)"),
    CASE(GR_ERR_NDIM, determinant_of_vector, "det: needs a matrix: b [3]"),
    CASE(GR_ERR_SHAPE, equations_differ, "solve: numbers of equations differ: a [3, 3], w [2, 3] (3 vs 2)"),
    CASE(GR_ERR_TYPE, solve_types, "solve: types differ: a f32 [2, 2], w f64 [2, 3]"),
    CASE(GR_ERR_NDIM, no_right_side, "solve: needs right-hand sides: a [2, 2], full []"),
    CASE(GR_ERR_ARGUMENT, other_triangle, "solve_triangular: flags 8"),
    CASE(GR_ERR_NDIM, dot_of_matrix, "dot: needs two vectors: b [3], w [2, 3]"),
    CASE(GR_ERR_NDIM, trace_of_vector, "trace: needs at least two axes: b [3]"),
    CASE(GR_ERR_SHAPE, einsum_sizes, "einsum: the sizes of a label differ: w [2, 3], ",
         "(j is 3 and 4 in \"ij,jk->ik\")"),
    CASE(GR_ERR_GRAPH, einsum_of_graphs, "einsum: operand 2 belongs to another graph"),
    CASE(GR_ERR_SHAPE, short_write, "write: ", "5 elements", "w [2, 3]", "6"),
    CASE(GR_ERR_SHAPE, item_of_many, "item: ", "one element", "w [2, 3]"),
    CASE(GR_ERR_SHAPE, batch_shapes, "matmul: ", "[2, 4, 3] @ ", "[3, 3, 4]"),
    CASE(GR_ERR_SHAPE, cotangent_of_same_count,
         "backward: cotangent full f64 [3, 2] for output h f64 [2, 3]"),
    CASE(GR_ERR_SHAPE, data_of_strided, "data: not contiguous", "permute [3, 2]", "gr_read"),
    CASE(GR_ERR_SHAPE, rule_too_large, "too_large", "[7]", "b f64 [3]"),
    CASE(GR_ERR_TYPE, mixed_types, "add: types differ", "fc1.weight f32 [512, 10]", "w f64 [2, 3]"),
    CASE(GR_ERR_TYPE, sine_of_labels, "sin: needs f32 or f64", "labels i32 [3]"),
    CASE(GR_ERR_TYPE, integer_param, "param: p is i32"),
    CASE(GR_ERR_TYPE, no_type, "full: 17 is not a type"),
    CASE(GR_ERR_TYPE, no_type_cast, "cast: not a type", "17"),
    CASE(GR_ERR_TYPE, float_index, "index_select: the index must be i32", "b f64 [3]"),
    CASE(GR_ERR_TYPE, cotangent_of_other_type, "backward: cotangent full f32 [2, 3] for output h f64 [2, 3]"),
    CASE(GR_ERR_TYPE, grad_of_labels, "grad: outputs[0] is i32; only floats"),
    CASE(GR_ERR_TYPE, derivative_of_labels, "derivative: ", "labels i32 [3]"),
    CASE(GR_ERR_GRAPH, other_graph, "mul: operand 2 belongs to another graph"),
    CASE(GR_ERR_GRAPH, foreign_input, "grad: inputs[0] belongs to another graph"),
    CASE(GR_ERR_GRAPH, foreign_cotangent, "backward: the cotangent belongs to another graph"),
    CASE(GR_ERR_GRAPH, foreign_survivor, "scope_end: survivors[0] belongs to another graph"),
    CASE(GR_ERR_STALE, after_reset, "add: operand 1 is a stale handle", "reset"),
    CASE(GR_ERR_STALE, replaced_after_reset, "sin: operand 1 is a stale handle"),
    CASE(GR_ERR_STALE, after_scope, "backward: stale handle", "scope"),
    CASE(GR_ERR_STALE, after_release, "sub: operand 1 is a stale handle", "gr_release"),
    CASE(GR_ERR_STALE, released_operand, "backward: operand 1 of mul [2, 3] was released"),
    CASE(GR_ERR_STALE, stale_survivor, "scope_end: stale handle"),
    CASE(GR_ERR_STALE, stale_gradient, "scale: operand 1 is a stale handle"),
    CASE(GR_ERR_NDIM, nine_axes, "unsqueeze: ", "8 axes"),
    CASE(GR_ERR_NDIM, nine_axes_asked, "full: ", "9 axes", "8"),
    CASE(GR_ERR_NDIM, nine_axes_by_index, "index_select: ", "too many axes"),
    CASE(GR_ERR_NDIM, nine_axes_by_add, "index_add: ", "too many axes"),
    CASE(GR_ERR_NDIM, scalar_product, "matmul: scalars", "[]", "w [2, 3]"),
    CASE(GR_ERR_NDIM, too_few_indices, "at: 1 indices for w [2, 3]"),
    CASE(GR_ERR_AXIS, no_such_axis, "sum: axis out of range", "w [2, 3]", "2 of 2 axes"),
    CASE(GR_ERR_AXIS, no_negative_axis, "softmax: axis -3 is out of range", "w [2, 3]"),
    CASE(GR_ERR_AXIS, axis_twice, "mean: an axis is named twice", "w [2, 3]", "-1"),
    CASE(GR_ERR_AXIS, permuted_twice, "permute: an axis is named twice", "w [2, 3]"),
    CASE(GR_ERR_AXIS, dim_of_no_axis, "dim: ", "axis 2", "w [2, 3]"),
    CASE(GR_ERR_INDEX, label_too_large, "one_hot: label outside the classes", "labels [3]",
         "label 2, 2 classes"),
    CASE(GR_ERR_INDEX, index_outside, "index_select: ", "b [3]", "position -4, size 3"),
    CASE(GR_ERR_INDEX, index_just_outside, "index_select: ", "b [3]", "position 3, size 3"),
    CASE(GR_ERR_INDEX, element_outside, "at: index 3 of axis 1", "w [2, 3]"),
    CASE(GR_ERR_INDEX, select_outside, "select: position 2 of axis 0", "w [2, 3]"),
    CASE(GR_ERR_OVERFLOW, huge_dims, "full: ", "9223372036854775807"),
    CASE(GR_ERR_OVERFLOW, smallish_dims, "full: ", "[2147483647, 2147483647]"),
    CASE(GR_ERR_OVERFLOW, joined_too_long, "concat: too long"),
    CASE(GR_ERR_OVERFLOW, huge_product, "expand: ", "[2147483648, 2147483648]"),
    CASE(GR_ERR_OVERFLOW, huge_beside_nothing, "full: ", "[0, 9223372036854775807"),
    CASE(GR_ERR_NAME, same_name, "param: there is a parameter named w already"),
    CASE(GR_ERR_NAME, unknown_name, "param_find: there is no parameter named nobody"),
    CASE(GR_ERR_MEMORY, no_memory, "full: out of memory", "400000 bytes"),
    CASE(GR_ERR_MEMORY, more_than_there_is, "full: out of memory", "8796093022208 bytes"),
    CASE(GR_ERR_NOT_SCALAR, cotangent_needed, "backward: h [2, 3] has 6 elements", "cotangent"),
    CASE(GR_ERR_NO_HISTORY, no_history, "backward: sum [] depends on nothing that requires a gradient"),
    CASE(GR_ERR_NO_HISTORY, without_recording, "backward: mean []"),
    CASE(GR_ERR_HISTORY_RELEASED, backward_twice, "backward: the history of mean [] was released", "retain"),
    CASE(GR_ERR_HISTORY_RELEASED, grad_after_backward, "grad: the history of mean [] was released"),
    CASE(GR_ERR_MODIFIED, written_between, "backward: w [2, 3] was written", "matmul [4, 3]",
         "version 0, now 1"),
    CASE(GR_ERR_MODIFIED, opened_between, "backward: constant [4, 2] was written", "matmul [4, 3]"),
    CASE(GR_ERR_NO_GRADIENT, gradient_too_early, "gradient: ", "w [2, 3]", "no gr_backward has reached it"),
    CASE(GR_ERR_NO_GRADIENT, gradient_of_interior, "gradient: ", "h [2, 3]", "gr_retain_grad"),
    CASE(GR_ERR_NOT_DIFFERENTIABLE, recorded_without_rule, "no_rule: has no derivative rule", "w [2, 3]"),
    CASE(GR_ERR_STATE, reset_inside, "graph_reset: 1 scopes are open"),
    CASE(GR_ERR_STATE, scope_twice, "scope_end: this scope is not open"),
    CASE(GR_ERR_STATE, scopes_crossed, "scope_end: this scope is not open"),
    CASE(GR_ERR_STATE, end_without_begin, "no_grad_end: without a gr_no_grad_begin"),
    CASE(GR_ERR_STATE, open_result, "data_for_writing: only parameters, constants and gradients",
         "tanh [2, 3]"),
    CASE(GR_ERR_STATE, write_result, "write: only parameters, constants and gradients", "h [2, 3]"),
    CASE(GR_ERR_STATE, rename_param, "named: parameter w keeps its name"),
    CASE(GR_ERR_ARGUMENT, slice_step_zero, "slice: the step is 0"),
    CASE(GR_ERR_ARGUMENT, null_elements, "write: NULL", "w [2, 3]"),
    CASE(GR_ERR_ARGUMENT, null_survivors, "scope_end: 2 survivors at NULL"),
    CASE(GR_ERR_ARGUMENT, no_forward, "unfinished: ", "forward"),
    CASE(GR_ERR_ARGUMENT, arity, "no_rule: 2 operands given, 1 needed"),
    CASE(GR_ERR_HANDLE, invalid_operand, "mul: operand 2 is an invalid handle"),
    CASE(GR_ERR_HANDLE, unset_operand, "mul: operand 1 is an invalid handle"),
    CASE(GR_ERR_HANDLE, unset_survivor, "scope_end: survivors[0] is an invalid handle"),
    CASE(GR_ERR_IO, system_refused, "open: gone"),
    CASE(GR_ERR_FORMAT, not_a_file, "read: byte 3"),
    CASE(GR_ERR_CALLBACK, forward_refuses, "refusing: failed without saying why"),
    CASE(GR_ERR_CALLBACK, rule_forgets, "backward: the rule of forgetful for operand 1"),
    CASE(GR_ERR_NOT_FINITE, logarithm_of_negative,
         "log (y = ", "): the value became nan at [0, 1]:", "operand 1, w f64 [2, 3] from -1 to 1.5"),
    CASE(GR_ERR_STATE, anomaly_twice, "anomaly_begin: "),
    CASE(GR_ERR_NO_HISTORY, hook_of_data, "add_hook: ", "requires a gradient", "data [4, 2]"),
    CASE(GR_ERR_SHAPE, hook_too_large, "backward: a hook of b f64 [3] returned ", " f64 [7]"),
    CASE(GR_ERR_STALE, hook_removed_twice, "remove_hook: it was removed before"),
    CASE(GR_ERR_NAME, nameless_scope, "name_scope_begin: a name scope needs a name"),
    CASE(GR_ERR_STATE, name_scope_not_begun, "name_scope_end: without a gr_name_scope_begin"),
};
enum { N_CASES = sizeof cases / sizeof *cases };

/* ---- What holds for each of them ---- */

/* Nothing that executes runs while an error is pending, and nothing changes it. */
static void check_pending(const fixture *f, gr_tensor loss, const error_case *c)
{
    double before[6], after[6], other[6] = {0};
    char message[1024];
    snprintf(message, sizeof message, "%s", gr_graph_error(f->g));
    gr_read(f->w, before, 6);
    gr_tensor gradient = f->w;
    CHECK(gr_backward(loss) == c->status);
    CHECK(!gr_has_gradient(f->b));
    CHECK(gr_grad(1, &loss, 1, &f->w, NULL, NULL, &gradient) == c->status);
    CHECK(gradient.index == 0 && gradient.graph == f->g);
    CHECK(gr_write(f->w, other, 6) == c->status);
    CHECK(gr_assign(f->w, gr_zeros(f->g, GR_F64, GR_SHAPE(2, 3))) == c->status);
    gr_read(f->w, after, 6);
    CHECK(memcmp(before, after, sizeof before) == 0);
    CHECK(!gr_is_valid(gr_param_find(f->g, "somebody else")));
    CHECK(!gr_is_valid(gr_reshape(f->w, GR_SHAPE(77))));
    CHECK(gr_graph_status(f->g) == c->status);
    CHECK(strcmp(gr_graph_error(f->g), message) == 0);
}

static void check_trains_on(const fixture *f)
{
    gr_graph *g = gr_graph_create(NULL);
    gr_tensor w, b, data;
    make_model(g, &w, &b, &data);
    for (int step = 0; step < 2; step++) {
        double ours[9] = {1}, fresh[9] = {2};
        CHECK(train_step(f->w, f->b, f->data, ours) == GR_OK);
        CHECK(train_step(w, b, data, fresh) == GR_OK);
        CHECK(memcmp(ours, fresh, sizeof ours) == 0);
        CHECK(gr_graph_reset(f->g) == GR_OK);
    }
    gr_graph_destroy(g);
}

static void one_case(const error_case *c)
{
    fixture f;
    setup(&f);
    CHECK(gr_graph_status(f.g) == GR_OK && !strcmp(gr_graph_error(f.g), ""));
    c->provoke(&f);
    const int before = test_failures;
    CHECK(f.status == c->status);
    CHECK(gr_graph_status(f.g) == c->status);
    for (int i = 0; i < 4 && c->parts[i]; i++) CHECK_TEXT(gr_graph_error(f.g), c->parts[i]);
    if (f.returns_tensor) {
        CHECK(!gr_is_valid(f.result) && f.result.index == 0 && f.result.graph == f.g);
        CHECK(!gr_is_valid(gr_add(gr_scale(f.result, 2), f.w)));
    }
    check_pending(&f, model_loss(f.w, f.b, f.data), c);
    gr_graph_clear_error(f.g);
    CHECK(gr_graph_status(f.g) == GR_OK && !strcmp(gr_graph_error(f.g), ""));
    CHECK(gr_graph_status(f.other) == GR_OK);
    check_trains_on(&f);
    if (test_failures > before) printf("    in the case %s\n", c->name);
    teardown(&f);
}

static void test_each_case(void)
{
    for (int i = 0; i < N_CASES; i++) one_case(&cases[i]);
}

/* GR_ERR_LIMIT needs a graph of its own; see test_limit. */
static void test_each_code_has_a_case(void)
{
    int codes = 0;
    for (int code = 1; strcmp(gr_status_name((gr_status)code), "unknown status"); code++, codes++) {
        bool found = code == GR_ERR_LIMIT;
        for (int i = 0; i < N_CASES; i++) found = found || cases[i].status == (gr_status)code;
        CHECK(found);
        if (!found) printf("    no case for %s\n", gr_status_name((gr_status)code));
    }
    CHECK(codes == GR_ERR_NOT_FINITE);
    CHECK(!strcmp(gr_status_name(GR_OK), "GR_OK"));
    CHECK(!strcmp(gr_status_name((gr_status)-1), "unknown status"));
}

static void test_limit(void)
{
    ledger books = {0};
    fixture f = {.g = ledger_graph(&books, 100000)};
    make_model(f.g, &f.w, &f.b, &f.data);
    const gr_tensor big = gr_zeros(f.g, GR_F64, GR_SHAPE(20000));
    CHECK(!gr_is_valid(big) && big.graph == f.g);
    CHECK(gr_graph_status(f.g) == GR_ERR_LIMIT);
    CHECK_TEXT(gr_graph_error(f.g), "full: needs 160000 bytes");
    CHECK_TEXT(gr_graph_error(f.g), "limit of 100000 bytes");
    char left[40];
    snprintf(left, sizeof left, "leaves %zu", 100000 - gr_graph_memory(f.g).reserved);
    CHECK_TEXT(gr_graph_error(f.g), left);
    check_pending(&f, model_loss(f.w, f.b, f.data), &(error_case){.status = GR_ERR_LIMIT});
    gr_graph_clear_error(f.g);
    check_trains_on(&f);
    CHECK(books.most_bytes <= 100000);
    gr_graph_destroy(f.g);
    CHECK(ledger_balances(&books));
}

static void test_retain(void)
{
    fixture f;
    setup(&f);
    double once[6], twice[6];
    CHECK(gr_backward_with(f.loss, &(gr_backward_options){.retain = true}) == GR_OK);
    CHECK(gr_read(gr_gradient(f.w), once, 6) == GR_OK);
    CHECK(gr_backward(f.loss) == GR_OK);
    CHECK(gr_read(gr_gradient(f.w), twice, 6) == GR_OK);
    for (int i = 0; i < 6; i++) CHECK(twice[i] == 2 * once[i]);
    CHECK(gr_backward(f.loss) == GR_ERR_HISTORY_RELEASED);
    gr_graph_clear_error(f.g);
    gr_graph_reset(f.g);
    check_trains_on(&f);
    teardown(&f);
}

/* A pass that fails leaves gradients and history as they were: the next one succeeds. */
static void test_failed_pass_changes_nothing(void)
{
    fixture f;
    setup(&f);
    const gr_tensor odd = gr_sum(gr_apply(f.g, &forgetful, 1, &f.b, NULL), GR_ALL_AXES, false);
    const gr_tensor h = gr_retain_grad(gr_add(f.loss, odd)), both = gr_scale(h, 2);
    CHECK(gr_backward(both) == GR_ERR_CALLBACK);
    CHECK(!gr_has_gradient(f.w) && !gr_has_gradient(f.b) && !gr_has_gradient(h));
    gr_graph_clear_error(f.g);
    CHECK(gr_backward(both) == GR_ERR_CALLBACK); /* and not GR_ERR_HISTORY_RELEASED */
    gr_graph_clear_error(f.g);
    CHECK(gr_backward(f.loss) == GR_OK);
    teardown(&f);
}

/* ---- Nothing is enough to crash ---- */

typedef gr_tensor unary(gr_tensor x);
typedef gr_tensor binary(gr_tensor a, gr_tensor b);
static unary *const unaries[] = {gr_neg,    gr_square,   gr_exp,         gr_log,  gr_log1p,
                                 gr_sqrt,   gr_sin,      gr_cos,         gr_tanh, gr_sigmoid,
                                 gr_relu,   gr_softplus, gr_abs,         gr_sign, gr_contiguous,
                                 gr_detach, gr_gradient, gr_retain_grad, gr_keep};
static binary *const binaries[] = {gr_add,        gr_sub,     gr_mul,           gr_div,       gr_pow,
                                   gr_maximum,    gr_minimum, gr_equal,         gr_not_equal, gr_less,
                                   gr_less_equal, gr_greater, gr_greater_equal, gr_matmul,    gr_derivative};

/* Every function that takes a tensor and returns one, with `bad` in each place. `good` may be bad, too. */
static void expect_invalid(gr_tensor y, gr_tensor bad)
{
    CHECK(!gr_is_valid(y) && y.index == 0);
    CHECK(y.graph == bad.graph || !bad.graph);
}

static void sweep_builders(gr_tensor bad, gr_tensor good)
{
    for (size_t i = 0; i < sizeof unaries / sizeof *unaries; i++) expect_invalid(unaries[i](bad), bad);
    for (size_t i = 0; i < sizeof binaries / sizeof *binaries; i++) {
        expect_invalid(binaries[i](bad, good), bad);
        expect_invalid(binaries[i](good, bad), bad);
    }
    expect_invalid(gr_scale(bad, 2), bad);
    expect_invalid(gr_add_scalar(bad, 2), bad);
    expect_invalid(gr_pow_scalar(bad, 2), bad);
    for (int i = 0; i < 3; i++)
        expect_invalid(gr_where(i == 0 ? bad : good, i == 1 ? bad : good, i == 2 ? bad : good), bad);
    expect_invalid(gr_cast(bad, GR_F64), bad);
    expect_invalid(gr_sum(bad, GR_ALL_AXES, false), bad);
    expect_invalid(gr_mean(bad, GR_AXES(0), true), bad);
    expect_invalid(gr_max(bad, GR_AXES(0, 1), true), bad);
    expect_invalid(gr_logsumexp(bad, GR_ALL_AXES, false), bad);
    expect_invalid(gr_norm(bad, GR_ALL_AXES, false), bad);
    expect_invalid(gr_chain_mul(bad, good), bad);
    expect_invalid(gr_chain_div(good, bad), bad);
    expect_invalid(gr_sum_to(bad, GR_SHAPE(2)), bad);
    expect_invalid(gr_softmax(bad, 0), bad);
    expect_invalid(gr_log_softmax(bad, -1), bad);
    expect_invalid(gr_reshape(bad, GR_SHAPE(-1)), bad);
    expect_invalid(gr_permute(bad, GR_ALL_AXES), bad);
    expect_invalid(gr_permute(bad, GR_AXES(1, 0)), bad);
    expect_invalid(gr_transpose(bad, 0, 1), bad);
    expect_invalid(gr_slice(bad, 0, 0, 1, 1), bad);
    expect_invalid(gr_select(bad, 0, 0), bad);
    expect_invalid(gr_expand(bad, GR_SHAPE(2)), bad);
    expect_invalid(gr_squeeze(bad, GR_ALL_AXES), bad);
    expect_invalid(gr_unsqueeze(bad, 0), bad);
    const gr_tensor pair[] = {good, bad}, reversed[] = {bad, good};
    expect_invalid(gr_concat(2, pair, 0), bad);
    expect_invalid(gr_concat(2, reversed, 0), bad);
    expect_invalid(gr_index_select(bad, 0, good), bad);
    expect_invalid(gr_index_select(good, 0, bad), bad);
    expect_invalid(gr_index_add(bad, 0, good, 3), bad);
    expect_invalid(gr_index_add(good, 0, bad, 3), bad);
    expect_invalid(gr_gather(bad, 0, good), bad);
    expect_invalid(gr_gather(good, 0, bad), bad);
    expect_invalid(gr_scatter_add(bad, 0, good, 3), bad);
    expect_invalid(gr_scatter_add(good, 0, bad, 3), bad);
    expect_invalid(gr_one_hot(bad, 3, GR_F64), bad);
    expect_invalid(gr_named(bad, "name"), bad);
    expect_invalid(gr_set_requires_grad(bad, true), bad);
}

/* Questions and executors. */
static void sweep_others(gr_tensor bad, gr_tensor good)
{
    double numbers[6] = {0};
    int64_t strides[GR_MAX_NDIM];
    CHECK(!gr_is_valid(bad) && !gr_has_gradient(bad));
    CHECK(gr_type_of(bad) == GR_F32 && gr_shape_of(bad).ndim == -1 && gr_ndim(bad) == 0);
    CHECK(gr_dim(bad, 0) == -1 && gr_count(bad) == 0 && !gr_is_contiguous(bad) && !gr_requires_grad(bad));
    CHECK(!gr_is_param(bad) && !strcmp(gr_name(bad), "") && isnan(gr_item(bad)) && isnan(GR_AT(bad, 0)));
    CHECK(!gr_data(bad) && !gr_data_for_writing(bad));
    CHECK(gr_strides(bad, strides) != GR_OK && gr_read(bad, numbers, 6) != GR_OK);
    CHECK(gr_write(bad, numbers, 6) != GR_OK && gr_assign(bad, good) != GR_OK &&
          gr_assign(good, bad) != GR_OK);
    CHECK(gr_release(bad) != GR_OK && gr_backward(bad) != GR_OK && gr_zero_grad(bad) != GR_OK);
    CHECK(gr_clear_grad(bad) != GR_OK && gr_backward_with(bad, NULL) != GR_OK);
    gr_tensor gradient = good;
    CHECK(gr_grad(1, &bad, 1, &good, NULL, NULL, &gradient) != GR_OK && gradient.index == 0);
    gradient = good;
    CHECK(gr_grad(1, &good, 1, &bad, NULL, NULL, &gradient) != GR_OK && gradient.index == 0);
}

static void test_bad_handles(void)
{
    fixture f;
    setup(&f);
    const gr_tensor unset = {0}, invalid = {f.g, 0, 0}, stale = gr_tanh(f.w);
    gr_graph_reset(f.g);
    const gr_tensor odd[] = {unset,
                             invalid,
                             stale,
                             {f.g, 5000, 1},
                             {f.g, UINT32_MAX, UINT32_MAX},
                             {f.g, UINT32_C(0x80000000), 0},
                             {f.g, 0, 7},
                             {NULL, 5, 5}};
    for (size_t i = 0; i < sizeof odd / sizeof *odd; i++) {
        sweep_builders(odd[i], f.w);
        CHECK(gr_graph_status(f.g) == (i == 0 || i == 1 || i == 6 ? GR_ERR_HANDLE : GR_ERR_STALE) || i == 7);
        gr_graph_clear_error(f.g);
        sweep_others(odd[i], f.w);
        gr_graph_clear_error(f.g);
        sweep_builders(odd[i], odd[i]);
        sweep_others(odd[i], odd[i]);
        gr_graph_clear_error(f.g);
    }
    check_trains_on(&f);
    teardown(&f);
}

/* An invalid handle passed through everything keeps the first error. */
static void test_first_error_sticks(void)
{
    fixture f;
    setup(&f);
    const gr_tensor bad = gr_matmul(f.x, f.fc1);
    sweep_builders(bad, f.w);
    sweep_others(bad, f.w);
    CHECK(gr_graph_status(f.g) == GR_ERR_SHAPE);
    CHECK_TEXT(gr_graph_error(f.g), "matmul: inner sizes differ: x [32, 784] @ fc1.weight [512, 10]");
    teardown(&f);
}

static void test_null_graph(void)
{
    CHECK(gr_graph_status(NULL) == GR_ERR_HANDLE && strlen(gr_graph_error(NULL)) > 0);
    gr_graph_clear_error(NULL);
    gr_graph_destroy(NULL);
    CHECK(gr_graph_fail(NULL, GR_ERR_IO, "x") == GR_ERR_IO);
    CHECK(gr_graph_reset(NULL) == GR_ERR_HANDLE);
    CHECK(gr_scope_end(gr_scope_begin(NULL), 0, NULL) == GR_ERR_HANDLE);
    gr_no_grad_begin(NULL);
    gr_no_grad_end(NULL);
    CHECK(!gr_is_recording(NULL) && gr_graph_memory(NULL).used == 0);
    gr_graph_reset_memory_peak(NULL);
    gr_graph_trim(NULL);
    gr_seed(NULL, 1);
    gr_rng_set(NULL, gr_rng_get(NULL));
    CHECK(gr_graph_threads(NULL) == 0 && !strcmp(gr_graph_isa(NULL), ""));
    CHECK(gr_zero_grads(NULL) == GR_ERR_HANDLE && gr_clear_grads(NULL) == GR_ERR_HANDLE);
    CHECK(gr_param_count(NULL) == 0);
    const gr_tensor made_of_nothing[1] = {{0}};
    const gr_tensor made[] = {gr_param(NULL, "p", GR_F64, GR_SHAPE(1), NULL),
                              gr_constant(NULL, GR_F64, GR_SHAPE(1), NULL),
                              gr_scalar(NULL, GR_F64, 1),
                              gr_full(NULL, GR_F64, GR_SHAPE(1), 1),
                              gr_zeros(NULL, GR_F64, GR_SHAPE(1)),
                              gr_ones(NULL, GR_F64, GR_SHAPE(1)),
                              gr_arange(NULL, GR_F64, 3, 0, 1),
                              gr_uniform(NULL, GR_F64, GR_SHAPE(1), 0, 1),
                              gr_normal(NULL, GR_F64, GR_SHAPE(1), 0, 1),
                              gr_bernoulli(NULL, GR_SHAPE(1), 0.5),
                              gr_param_at(NULL, 0),
                              gr_param_find(NULL, "p"),
                              gr_concat(0, NULL, 0),
                              gr_concat(3, NULL, 0),
                              gr_concat(-1, made_of_nothing, 0),
                              gr_apply(NULL, &no_rule, 1, NULL, NULL)};
    for (size_t i = 0; i < sizeof made / sizeof *made; i++)
        CHECK(!gr_is_valid(made[i]) && made[i].index == 0 && !made[i].graph);
}

/* NULL where memory or text is needed, and numbers out of every range. Long because it is a list. */
static void test_null_pointers(void)
{
    fixture f;
    setup(&f);
    gr_graph *g = f.g;
    gr_tensor gradient;
#define FAILS(STATUS, CALL)                    \
    do {                                       \
        CALL;                                  \
        CHECK(gr_graph_status(g) == (STATUS)); \
        gr_graph_clear_error(g);               \
    } while (0)
    FAILS(GR_ERR_NAME, gr_param(g, NULL, GR_F64, GR_SHAPE(1), NULL));
    FAILS(GR_ERR_NAME, gr_param(g, "", GR_F64, GR_SHAPE(1), NULL));
    FAILS(GR_ERR_NAME, gr_param_find(g, NULL));
    FAILS(GR_ERR_INDEX, gr_param_at(g, -1));
    FAILS(GR_ERR_INDEX, gr_param_at(g, 3));
    FAILS(GR_ERR_ARGUMENT, gr_read(f.w, NULL, 6));
    FAILS(GR_ERR_SHAPE, gr_read(f.w, NULL, -1));
    FAILS(GR_ERR_ARGUMENT, gr_strides(f.w, NULL));
    FAILS(GR_ERR_NDIM, gr_at(f.w, 2, NULL));
    FAILS(GR_ERR_NDIM, gr_at(f.w, -1, NULL));
    FAILS(GR_ERR_ARGUMENT, gr_grad(1, &f.loss, 1, NULL, NULL, NULL, &gradient));
    FAILS(GR_ERR_ARGUMENT, gr_grad(1, &f.loss, 1, &f.w, NULL, NULL, NULL));
    FAILS(GR_ERR_ARGUMENT, gr_grad(0, &f.loss, 1, &f.w, NULL, NULL, &gradient));
    FAILS(GR_ERR_ARGUMENT, gr_grad(1, NULL, 1, &f.w, NULL, NULL, &gradient));
    FAILS(GR_ERR_ARGUMENT, gr_grad(1, &f.loss, -1, &f.w, NULL, NULL, &gradient));
    FAILS(GR_ERR_ARGUMENT, gr_apply(g, NULL, 1, &f.w, NULL));
    FAILS(GR_ERR_ARGUMENT, gr_apply(g, &no_rule, 1, NULL, NULL));
    FAILS(GR_ERR_ARGUMENT, gr_apply(g, &no_rule, -1, &f.w, NULL));
    const gr_scope scope = gr_scope_begin(g);
    FAILS(GR_ERR_ARGUMENT, gr_scope_end(scope, -1, &f.w));
    CHECK(gr_scope_end(scope, 0, NULL) == GR_OK);
    CHECK(gr_scope_end((gr_scope){g, 1, 0}, 0, NULL) == GR_ERR_STATE);
    gr_graph_clear_error(g);
    const gr_tensor never_made = {g, 0, 0};
    FAILS(GR_ERR_HANDLE, gr_scope_end(gr_scope_begin(g), 1, &never_made));
    FAILS(GR_ERR_MEMORY, gr_graph_alloc(g, SIZE_MAX / 3));
    FAILS(GR_ERR_ARGUMENT, gr_bernoulli(g, GR_SHAPE(2), NAN));
    FAILS(GR_ERR_ARGUMENT, gr_bernoulli(g, GR_SHAPE(2), 1.5));
    FAILS(GR_ERR_ARGUMENT, gr_full(g, GR_I32, GR_SHAPE(2), 3e9));
    FAILS(GR_ERR_ARGUMENT, gr_full(g, GR_I32, GR_SHAPE(2), NAN));
    FAILS(GR_ERR_SHAPE, gr_arange(g, GR_F64, -1, 0, 1));
    FAILS(GR_ERR_OVERFLOW, gr_arange(g, GR_F64, INT64_MAX, 0, 1));
    FAILS(GR_ERR_TYPE, gr_arange(g, GR_BOOL, 2, 0, 1));
    FAILS(GR_ERR_NDIM, gr_zeros(g, GR_F64, (gr_shape){.ndim = -1}));
    FAILS(GR_ERR_NDIM, gr_reshape(f.w, (gr_shape){.ndim = 9}));
    FAILS(GR_ERR_NDIM, gr_reshape(f.w, (gr_shape){.ndim = -5}));
    FAILS(GR_ERR_SHAPE, gr_reshape(f.w, GR_SHAPE(-1, -1)));
    FAILS(GR_ERR_SHAPE, gr_reshape(f.w, GR_SHAPE(-1, 0)));
    FAILS(GR_ERR_SHAPE, gr_reshape(f.w, GR_SHAPE(INT64_MIN, 3)));
    FAILS(GR_ERR_OVERFLOW, gr_reshape(f.w, GR_SHAPE(INT64_MAX, INT64_MAX)));
    FAILS(GR_ERR_NDIM, gr_expand(f.w, (gr_shape){.ndim = 9}));
    FAILS(GR_ERR_NDIM, gr_expand(f.w, (gr_shape){.ndim = -1}));
    FAILS(GR_ERR_SHAPE, gr_expand(f.w, GR_SHAPE(-1, 2, 3)));
    FAILS(GR_ERR_SHAPE, gr_sum_to(f.w, (gr_shape){.ndim = 99}));
    FAILS(GR_ERR_NDIM, gr_sum(f.w, (gr_axes){.n = 99}, false));
    FAILS(GR_ERR_NDIM, gr_logsumexp(f.w, (gr_axes){.n = 99}, false));
    FAILS(GR_ERR_AXIS, gr_norm(f.w, GR_AXES(0, 0), false));
    FAILS(GR_ERR_AXIS, gr_permute(f.w, (gr_axes){.n = 99}));
    FAILS(GR_ERR_AXIS, gr_squeeze(f.w, (gr_axes){.n = 99, .axis = {7}}));
    FAILS(GR_ERR_AXIS, gr_sum(f.w, GR_AXES(INT32_MIN), false));
    FAILS(GR_ERR_AXIS, gr_transpose(f.w, INT32_MAX, 0));
    FAILS(GR_ERR_AXIS, gr_slice(f.w, INT32_MIN, 0, 1, 1));
    FAILS(GR_ERR_ARGUMENT, gr_slice(f.w, 0, 0, 1, INT64_MIN));
    FAILS(GR_ERR_INDEX, gr_select(f.w, 0, INT64_MIN));
    FAILS(GR_ERR_INDEX, gr_select(f.w, 0, INT64_MAX));
    FAILS(GR_ERR_AXIS, gr_unsqueeze(f.w, 4));
    FAILS(GR_ERR_ARGUMENT, gr_one_hot(f.labels, -1, GR_F64));
    FAILS(GR_ERR_TYPE, gr_one_hot(f.labels, 3, GR_I32));
    FAILS(GR_ERR_OVERFLOW, gr_one_hot(f.labels, INT64_MAX, GR_F64));
    FAILS(GR_ERR_SHAPE, gr_index_add(f.b, 0, f.labels, -1));
    FAILS(GR_ERR_SHAPE, gr_index_add(f.w, 0, f.labels, 5));
    const gr_tensor index = gr_zeros(g, GR_I32, GR_SHAPE(3, 3));
    FAILS(GR_ERR_SHAPE, gr_gather(f.w, 1, index));
    FAILS(GR_ERR_SHAPE, gr_scatter_add(f.w, 1, index, 5));
    FAILS(GR_ERR_SHAPE, gr_scatter_add(f.w, 0, index, 5));
    FAILS(GR_ERR_OVERFLOW, gr_index_add(f.b, 0, f.labels, INT64_MAX));
    FAILS(GR_ERR_OVERFLOW, gr_scatter_add(f.b, 0, f.labels, INT64_MAX));
#undef FAILS
    CHECK(gr_backward_with(f.loss, NULL) == GR_OK);
    gr_graph_reset(g);
    CHECK(gr_graph_create(&(gr_graph_options){.threads = -1}) == NULL);
    CHECK(gr_graph_create(&(gr_graph_options){.isa = (gr_isa)99}) == NULL);
    CHECK(gr_graph_create(&(gr_graph_options){.allocator = {.allocate = ledger_allocate}}) == NULL);
    CHECK(gr_graph_create(&(gr_graph_options){.byte_limit = 64}) == NULL);
    check_trains_on(&f);
    teardown(&f);
}

/* Names longer than any message, and many operands. */
static void test_long_messages(void)
{
    gr_graph *g = gr_graph_create(NULL);
    char name[3000];
    memset(name, 'n', sizeof name);
    name[sizeof name - 1] = '\0';
    const gr_tensor p = gr_param(g, name, GR_F64, GR_SHAPE(2, 3), NULL);
    CHECK(!strcmp(gr_name(p), name));
    CHECK(!gr_is_valid(gr_matmul(p, p)));
    CHECK_TEXT(gr_graph_error(g), "matmul: inner sizes differ: nnn");
    gr_graph_clear_error(g);
    gr_tensor many[100];
    for (int i = 0; i < 100; i++)
        many[i] = gr_zeros(g, i < 99 ? GR_F32 : GR_F64, GR_SHAPE(1, 1, 1, 1, 1, 1, 1, 1));
    CHECK(!gr_is_valid(gr_concat(100, many, 0)));
    CHECK(gr_graph_status(g) == GR_ERR_TYPE);
    gr_graph_clear_error(g);
    CHECK(!gr_is_valid(gr_param(g, name, GR_F64, GR_SCALAR, NULL)));
    CHECK_TEXT(gr_graph_error(g), "param: there is a parameter named nnn");
    gr_graph_destroy(g);
}

int main(void)
{
    RUN(test_each_case);
    RUN(test_each_code_has_a_case);
    RUN(test_limit);
    RUN(test_retain);
    RUN(test_failed_pass_changes_nothing);
    RUN(test_bad_handles);
    RUN(test_first_error_sticks);
    RUN(test_null_graph);
    RUN(test_null_pointers);
    RUN(test_long_messages);
    return TEST_EXIT;
}
