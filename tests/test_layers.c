/*
 * Convolutions, pooling, norms, attention and recurrent layers against PyTorch; and what their layers promise:
 * parameters, running figures, masks, states, messages, derivatives of second order.
 */
#include "gradus.h"
#include "test.h"

static void expect(gr_graph *g, gr_status status, const char *part)
{
    CHECK(gr_graph_status(g) == status);
    CHECK_TEXT(gr_graph_error(g), part);
    gr_graph_clear_error(g);
}

/* ---- Against PyTorch ---- */

/* Operand k of a case has the elements value(e, k + 1); a case is f of its operands. */
typedef gr_tensor function(const gr_tensor *x);

static double value(int64_t e, int64_t salt) { return (double)((e * 389 + salt * 101) % 1021 - 510) / 256; }

#define CONV(...) \
    &(const gr_conv_options) { __VA_ARGS__ }
#define POOL(...) \
    &(const gr_pool_options) { __VA_ARGS__ }
#define CASE(NAME, EXPRESSION) \
    static gr_tensor NAME(const gr_tensor *x) { return EXPRESSION; }
CASE(conv1d, gr_conv1d(x[0], x[1], x[2], CONV(.stride = {2}, .padding = {1}, .dilation = {2}, .groups = 2)))
CASE(conv2d, gr_conv2d(x[0], x[1], x[2], NULL))
CASE(conv2d_options,
     gr_conv2d(x[0], x[1], x[2], CONV(.stride = {2, 1}, .padding = {2, 1}, .dilation = {1, 3}, .groups = 2)))
CASE(conv2d_depthwise, gr_conv2d(x[0], x[1], x[2], CONV(.padding = {1, 1}, .groups = 3)))
CASE(conv_transpose1d,
     gr_conv_transpose1d(x[0], x[1], x[2], CONV(.stride = {2}, .padding = {1}, .output_padding = {1})))
CASE(conv_transpose2d, gr_conv_transpose2d(x[0], x[1], x[2],
                                           CONV(.stride = {2, 3}, .padding = {1, 0}, .output_padding = {1, 2},
                                                .groups = 2, .dilation = {1, 2})))
CASE(max_pool2d,
     gr_max_pool2d(x[0], POOL(.kernel = {3, 2}, .stride = {2, 1}, .padding = {1, 1}, .dilation = {1, 2})))
CASE(max_pool2d_ceil,
     gr_max_pool2d(x[0], POOL(.kernel = {3, 3}, .stride = {2, 2}, .padding = {1, 1}, .ceil_mode = true)))
CASE(max_pool1d, gr_max_pool1d(x[0], POOL(.kernel = {3}, .stride = {2})))
CASE(avg_pool2d, gr_avg_pool2d(x[0], POOL(.kernel = {3, 2}, .stride = {2, 1}, .padding = {1, 1})))
CASE(avg_pool2d_ceil,
     gr_avg_pool2d(x[0], POOL(.kernel = {3, 3}, .stride = {2, 2}, .padding = {1, 1}, .ceil_mode = true)))
CASE(avg_pool2d_excluding, gr_avg_pool2d(x[0], POOL(.kernel = {3, 3}, .stride = {2, 2}, .padding = {1, 1},
                                                    .ceil_mode = true, .exclude_padding = true)))
CASE(avg_pool1d, gr_avg_pool1d(x[0], POOL(.kernel = {3}, .stride = {2}, .padding = {1})))
CASE(adaptive_avg_pool2d, gr_adaptive_avg_pool2d(x[0], 3, 4))
CASE(adaptive_avg_pool1d, gr_adaptive_avg_pool1d(x[0], 3))
CASE(batch_norm, gr_batch_norm(x[0], GR_NONE, GR_NONE, x[1], x[2], 1e-5))
CASE(batch_norm_given, gr_batch_norm(x[0], x[1], gr_add_scalar(gr_abs(x[2]), 0.5), x[3], x[4], 1e-5))
CASE(layer_norm, gr_layer_norm(x[0], 2, x[1], x[2], 1e-5))
CASE(rms_norm, gr_rms_norm(x[0], 1, x[1], 1e-5))
CASE(group_norm, gr_group_norm(x[0], 3, x[1], x[2], 1e-5))

/* [l, s]: 0 where 5 divides 7 times the position. */
static gr_tensor some_mask(gr_graph *g, int64_t l, int64_t s)
{
    unsigned char mask[64];
    for (int64_t i = 0; i < l * s; i++) mask[i] = i * 7 % 5 != 0;
    return gr_constant(g, GR_BOOL, GR_SHAPE(l, s), mask);
}
#define ATTENTION(...) gr_attention(x[0], x[1], x[2], &(gr_attention_options){__VA_ARGS__})
CASE(attention, gr_attention(x[0], x[1], x[2], NULL))
CASE(attention_masked, ATTENTION(.mask = some_mask(x[0].graph, 4, 6)))
CASE(attention_added, ATTENTION(.mask = x[3]))
CASE(attention_causal, ATTENTION(.causal = true, .scale = 0.7))
CASE(multihead, gr_multihead_attention_forward((gr_multihead_attention){{x[3], x[4]}, {x[5], x[6]}, 2}, x[0],
                                               x[1], x[2], NULL))
CASE(multihead_self, gr_multihead_attention_forward((gr_multihead_attention){{x[1], x[2]}, {x[3], x[4]}, 2},
                                                    x[0], x[0], x[0], NULL))

/* All results of a recurrent layer of four units in one row: those of the steps, the last h, the last c. */
static gr_tensor all_of(gr_recurrent_kind kind, const gr_tensor *x, bool batch_first)
{
    const gr_recurrent layer = {kind, 4, x[1], x[2], x[3], x[4]};
    gr_recurrent_state state = {x[5], kind == GR_LSTM ? x[6] : GR_NONE};
    const gr_tensor y = gr_recurrent_forward(layer, x[0], &state,
                                             &(gr_recurrent_options){.batch_first = batch_first});
    const gr_shape flat = GR_SHAPE(-1);
    gr_tensor parts[] = {gr_reshape(y, flat), gr_reshape(state.h, flat), GR_NONE};
    if (kind == GR_LSTM) parts[2] = gr_reshape(state.c, flat);
    return gr_concat(kind == GR_LSTM ? 3 : 2, parts, 0);
}
CASE(rnn_tanh, all_of(GR_RNN_TANH, x, false))
CASE(rnn_relu, all_of(GR_RNN_RELU, x, false))
CASE(lstm, all_of(GR_LSTM, x, false))
CASE(gru, all_of(GR_GRU, x, false))
CASE(gru_batch_first, all_of(GR_GRU, x, true))
CASE(embedding,
     gr_embedding_layer_forward((gr_embedding_layer){x[0]}, gr_constant(x[0].graph, GR_I32, GR_SHAPE(2, 3),
                                                                        (const int32_t[]){2, 0, 2, 6, 5, 1})))

enum { MOST_OPERANDS = 7, MOST_ELEMENTS = 1024, FIGURES = 4 };

typedef struct reference {
    const char *name;
    function *f;
    int n;
    gr_shape shape[MOST_OPERANDS];
    double figures[1 + MOST_OPERANDS][FIGURES]; /* of the result, and of the gradient of each operand */
} reference;

#define NAMED(NAME) #NAME, NAME
#define S(...)                                           \
    {                                                    \
        GR_COUNT_(int64_t, __VA_ARGS__), { __VA_ARGS__ } \
    }
#define SHAPES(...) \
    (int)(sizeof((const gr_shape[]){__VA_ARGS__}) / sizeof(gr_shape)), { __VA_ARGS__ }

/* From PyTorch 2.15 in f64: of each tensor two sums with weights, the first and the last element; gradients of
   the sum of the result times cotangent(e). Its weights of attention and recurrent layers are the transposed
   ones. */
static const reference references[] = {
    {NAMED(conv1d),
     SHAPES(S(2, 4, 9), S(6, 2, 3), S(6)),
     {{-7.9946913719177246, -14.689637184143066, -2.3530731201171875, -3.3971710205078125},
      {-17.651371002197266, 19.354457855224609, 0, 0},
      {-3.6609687805175781, 20.967586517333984, 0.8880615234375, 2.1943359375},
      {-4.693359375, -6.271484375, 1.125, -1.78125}}},
    {NAMED(conv2d),
     SHAPES(S(2, 3, 6, 5), S(4, 3, 3, 2), S(4)),
     {{-22.249893665313721, 28.723883628845215, 4.18621826171875, 6.6025390625},
      {42.013236999511719, 4.2967872619628906, 0.3177490234375, -0.8609619140625},
      {19.163135528564453, 83.120246887207031, 3.7916259765625, 5.582275390625},
      {4.0458984375, -2.4794921875, 0.90625, 1.5}}},
    {NAMED(conv2d_options),
     SHAPES(S(2, 4, 7, 8), S(6, 2, 3, 2), S(6)),
     {{29.193149089813232, -24.725149154663086, -2.55615234375, -0.1953277587890625},
      {-26.527145385742188, 19.231803894042969, -0.075927734375, -1.81787109375},
      {-62.019123077392578, 22.536231994628906, 5.1668701171875, 3.9219970703125},
      {-1.7412109375, -0.9208984375, 1, -2.3125}}},
    {NAMED(conv2d_depthwise),
     SHAPES(S(2, 3, 5, 5), S(6, 1, 3, 3), S(6)),
     {{72.386150360107422, -76.873256206512451, -4.519195556640625, 2.4144744873046875},
      {39.046733856201172, -24.934486389160156, 1.026611328125, -4.3515625},
      {26.708816528320312, 38.921047210693359, 5.6593017578125, -5.41796875},
      {-8.97265625, -0.5888671875, 1.1875, -3.78125}}},
    {NAMED(conv_transpose1d),
     SHAPES(S(2, 3, 5), S(3, 2, 3), S(2)),
     {{21.671567440032959, 14.541945934295654, -6.4646453857421875, 1.201812744140625},
      {8.6953353881835938, -18.044059753417969, 1.9327392578125, 1.944580078125},
      {17.875900268554688, 4.6914863586425781, 0.1181640625, 0.88330078125},
      {2.7841796875, 3.5791015625, -1.71875, 1.46875}}},
    {NAMED(conv_transpose2d),
     SHAPES(S(2, 4, 3, 4), S(4, 3, 3, 2), S(6)),
     {{13.954067230224609, 11.116057872772217, -2.8739471435546875, -1.1875},
      {24.258773803710938, -36.120273590087891, -1.51708984375, 5.11376953125},
      {-20.305255889892578, 38.700870513916016, 0.968505859375, -4.6197509765625},
      {-0.8525390625, 1.4013671875, -0.25, 0.3125}}},
    {NAMED(max_pool2d),
     SHAPES(S(2, 3, 7, 6)),
     {{5.6785888671875, 0.0372314453125, 1.0625, -0.6015625}, {1.1240234375, -4.080078125, 0, 0}}},
    {NAMED(max_pool2d_ceil),
     SHAPES(S(2, 3, 7, 6)),
     {{2.632568359375, 0.3876953125, 1.0625, 0.91796875}, {2.3818359375, 12.4375, 0, 1}}},
    {NAMED(max_pool1d),
     SHAPES(S(2, 3, 7)),
     {{1.7073974609375, -6.3416748046875, 1.44140625, 1.828125}, {0.396484375, -6.189453125, 0, 0}}},
    {NAMED(avg_pool2d),
     SHAPES(S(2, 3, 7, 6)),
     {{-1.2803141276041667, 2.1478271484374991, -0.34244791666666669, 0.11588541666666667},
      {-1.49853515625, 5.9226888020833339, -0.234375, -0.140625}}},
    {NAMED(avg_pool2d_ceil),
     SHAPES(S(2, 3, 7, 8)),
     {{0.55772569444444464, -0.58121066623263862, -0.3298611111111111, 0.279296875},
      {0.73366970486111127, 3.12646484375, -0.1076388888888889, -0.11284722222222222}}},
    {NAMED(avg_pool2d_excluding),
     SHAPES(S(2, 3, 7, 8)),
     {{1.8287760416666665, -2.8283623589409719, -0.7421875, 0.837890625},
      {1.931070963541667, 3.0418023003472223, -0.2421875, -0.52083333333333337}}},
    {NAMED(avg_pool1d),
     SHAPES(S(2, 3, 8)),
     {{3.4182942708333335, 2.772216796875, -0.55859375, -0.82942708333333337},
      {-1.3968098958333339, -0.36393229166666669, -0.32291666666666669, -0.29166666666666669}}},
    {NAMED(adaptive_avg_pool2d),
     SHAPES(S(2, 3, 7, 5)),
     {{1.7211303710937504, -0.54524739583333348, -0.55208333333333337, 0.529296875},
      {1.098470052083333, 0.78434244791666696, -0.16145833333333334, 0.0625}}},
    {NAMED(adaptive_avg_pool1d),
     SHAPES(S(2, 3, 7)),
     {{0.59163411458333326, -2.6614990234375, -0.078125, 0.68880208333333337},
      {1.0432942708333333, 0.087565104166667018, -0.32291666666666669, -0.34375}}},
    {NAMED(batch_norm),
     SHAPES(S(3, 4, 2, 3), S(4), S(4)),
     {{11.400132996408974, -0.24402270500943324, 0.54102218812194292, 0.37057159397560813},
      {7.8578488793457586, 14.679464519122075, 0.99754366504403491, -0.25624652055391517},
      {4.4901044608705076, 2.075371904421953, 0.051909111004178242, 0.99770998226296981},
      {1.9208984375, 3.8525390625, -0.46875, -1.125}}},
    {NAMED(batch_norm_given),
     SHAPES(S(3, 4, 2, 3), S(4), S(4), S(4), S(4)),
     {{-6.89619926865634, -24.672210369862114, 0.12327368904006483, 0.41226497261464867},
      {-3.2528025540145284, -6.276957616154176, 0.35064975130629777, 0.068192628866634519},
      {0.76086329567204691, -2.1817285301371063, -0.16966923450304727, 0.20457788659990356},
      {0.14483968037968806, -0.86005420896223184, -0.048688789354006681, -0.092891654872940863},
      {2.6488489253513468, 1.783027734912394, -0.30775224673382873, 0.87783802868111405},
      {1.9208984375, 3.8525390625, -0.46875, -1.125}}},
    {NAMED(layer_norm),
     SHAPES(S(3, 4, 5), S(4, 5), S(4, 5)),
     {{-0.96895040891443029, -12.749278542423291, 0.72201153253804351, 0.035744090005973159},
      {1.6091204687349228, 8.0576249186823095, 0.67715163174047432, -0.051781896628318794},
      {1.4572568999339857, 7.3843492838487128, 2.08187930444651, -2.3347842691758873},
      {1.875, -2.798828125, -1.34375, -1.375}}},
    {NAMED(rms_norm),
     SHAPES(S(3, 4, 5), S(5)),
     {{-0.3180470165117395, -2.5017120821180736, 1.7644344105280998, 0.24546162899275287},
      {-10.896031816971462, -0.069718389729762631, 0.89879092196804922, 0.079849258884124169},
      {-8.3512604868104567, -3.9664706293191929, 5.5132183772163357, 3.5769128672091659}}},
    {NAMED(group_norm),
     SHAPES(S(3, 6, 5), S(6), S(6)),
     {{2.6855666673137302, -10.642550176199013, 0.56956968245482265, 1.3645729794935644},
      {-2.8134990576237406, -6.7983018739685388, 1.0090173207133457, -1.1396506050333111},
      {-8.9972375195806205, -16.196858790110998, 4.1711214947670774, -6.2174727521209938},
      {-4.044921875, -2.408203125, 1, 0.15625}}},
    {NAMED(attention),
     SHAPES(S(2, 3, 4, 5), S(2, 3, 6, 5), S(2, 3, 6, 2)),
     {{-8.1907660300927407, -1.1300318135200498, -0.32542666086285427, -0.15249992767356804},
      {-1.0827055234862408, 0.11094107448836332, 0.023817524035917595, 0.089819426945159916},
      {-1.5653968819576884, -2.8525192884694648, -0.12281642941414628, 0.044844723061609623},
      {1.6393098938288722, 0.2695244292925596, -0.22122294403767973, -0.16377018768540352}}},
    {NAMED(attention_masked),
     SHAPES(S(2, 4, 5), S(2, 6, 5), S(2, 6, 2)),
     {{-4.1156515073970823, -1.960023174805823, -0.12639541317231823, -0.3728069371910106},
      {-0.31827500545369158, 2.7529057195326789, 0.021203259991206352, 0.062610049132349091},
      {-0.47975706846102306, -2.0658174840101236, -0.25841862479040439, -0.025248087058354927},
      {-3.2714454759311682, 0.28850419282632334, 0.21686556942922497, 0.020806136046240632}}},
    {NAMED(attention_added),
     SHAPES(S(2, 4, 5), S(2, 6, 5), S(2, 6, 2), S(4, 6)),
     {{-3.0136846470297414, 0.87158658074344331, -1.3379519637614228, -0.53834062902655755},
      {0.3905893284779911, 1.6105649712303096, -0.099038630837721242, 0.086486875357473944},
      {-0.051379893364804446, -1.7545070626145414, -0.2033076407518454, -0.0062528611677198061},
      {-2.6594682958544476, 0.06027035865440733, 0.24295202919446837, -0.0024337848348491434},
      {-0.060058010471577855, 0.62797387303007313, 0.003936407451878704, 0.053429511222634202}}},
    {NAMED(attention_causal),
     SHAPES(S(2, 5, 3), S(2, 5, 3), S(2, 5, 3)),
     {{0.52651655947535758, -5.2003788746478392, -0.80859375, -0.88497471181227205},
      {-0.44191671420857814, -0.059506984454084991, 0, -0.10260947671095411},
      {-0.019086465211140102, -0.12093853497839169, -0.0019359331828188886, 0.077331964272550055},
      {0.081668002039206211, 2.0449863115865665, -0.96049290942237386, -0.28995281598264433}}},
    {NAMED(multihead),
     SHAPES(S(2, 3, 4), S(2, 5, 4), S(2, 5, 4), S(4, 12), S(12), S(4, 4), S(4)),
     {{-32.132096615305365, 5.8535201903191485, 7.2224552968268014, 4.593751368587462},
      {0.72327881318580767, -0.25730050170151852, -0.058781229621942599, 0.44307966041666547},
      {-0.79934300420897086, 15.943288404716778, -1.7772446979654368e-05, -9.4342173509325473},
      {-18.652161981925371, -10.16884376943603, -3.1013633616235339, -0.77383549401351703},
      {-3.7484656330638924, -15.558789239919005, -0.85900890386766249, -1.8189091014741037},
      {-6.5594354243284565, -7.1233592677300868, -0.60312586776181343, -3.5892333984374973},
      {27.539033111643072, 13.055640878485432, -5.2296405673778192, 1.5986571439571251},
      {-1.986328125, -2.615234375, 1.8125, -0.75}}},
    {NAMED(multihead_self),
     SHAPES(S(2, 3, 4), S(4, 12), S(12), S(4, 4), S(4)),
     {{-16.93105340520307, 27.970214104689553, -5.6025783664572764, -7.9523501064322888},
      {-38.67216703244889, 11.744551543598718, 2.2324371432370409, -4.0610075198982152},
      {16.96537874289983, 5.12974883457606, 0.049218082109762043, 3.4248818707480169},
      {9.772163780396502, 3.9995538784872631, -0.012871393885691806, 4.3546142578125036},
      {12.638067653346083, -7.9187932088556359, -2.0347932126842663, 2.4844941961243898},
      {-1.986328125, -2.615234375, 1.8125, -0.75}}},
    {NAMED(rnn_tanh),
     SHAPES(S(5, 2, 3), S(3, 4), S(4, 4), S(4), S(4), S(2, 4)),
     {{0.0046979647790781343, -0.91680722982451046, 0.99906098868713766, 0.99049103387869109},
      {-1.3156184934306516, 3.9123671236047755, -0.74782748636548457, -0.3897531017247613},
      {-6.205088728503358, 3.4642990830632105, 0.97322866195689739, 1.7934956216417564},
      {-7.713607941503513, 7.0241583117653912, 0.58520647895739253, -1.1342696568314687},
      {0.16428117707996864, 0.022210477404698059, -0.57301035713717141, -1.086569435536926},
      {0.1642811770799692, 0.022210477404697948, -0.57301035713717152, -1.0865694355369258},
      {1.391710920393076, 5.2275803053474554, -1.6078039092324972, -0.57757785057210842}}},
    {NAMED(rnn_relu),
     SHAPES(S(5, 2, 3), S(3, 4), S(4, 4), S(4), S(4), S(2, 4)),
     {{-20.175758881438249, -26.868336615267214, 3.8316802978515625, 0},
      {-6.1801779218934101, 8.9122546097881354, 0.89736410588284343, -1.1697998046875},
      {-2.3668822437112453, 5.1877360567481112, 4.8674884091427657, 5.6126836763130541},
      {16.152665321605003, -101.02091774028935, 21.266678234621395, 1.3970321670253725},
      {3.9126810615343857, -2.4492252416648626, -1.1357735573837999, 6.5574666155443992},
      {3.9126810615343857, -2.4492252416648626, -1.1357735573837999, 6.5574666155443992},
      {-3.1463233816209062, 9.0949789498582128, 1.0555483764383098, -0.81044343245036998}}},
    {NAMED(lstm),
     SHAPES(S(11, 2, 3), S(3, 16), S(4, 16), S(16), S(16), S(2, 4), S(2, 4)),
     {{-1.0729176202803627, -5.9127603688202974, 0.81567942451371478, 0.82465693380917782},
      {0.95569162553688969, -1.4392573590494768, 0.058047429478658749, 0.029774999821800128},
      {-1.6903608413377742, -3.1992049219078091, -0.18940843350306899, 0.21798006998393413},
      {-2.2782999525059813, -1.239783093760974, -0.020009796150063319, 0.053067817847322889},
      {-0.58788300089539725, -0.28754118991021038, 0.092982911494042225, -0.2199434151016802},
      {-0.58788300089539702, -0.28754118991020994, 0.092982911494042225, -0.2199434151016802},
      {-0.50930699484649011, 2.0365395102570827, 0.032530330316230691, -1.0219425360523111},
      {-0.54885902083771976, 0.10147122423039864, -0.08663508486738325, -0.0003654758614227699}}},
    {NAMED(gru),
     SHAPES(S(5, 2, 3), S(3, 12), S(4, 12), S(12), S(12), S(2, 4)),
     {{3.0927585465694811, 1.382080448232712, 0.76283770211689883, 0.77424715409687594},
      {0.2344273167782237, -1.9804902823351762, 0.23661728611442798, -0.24901008895746063},
      {2.0929638320722477, 0.41814383597749694, 0.03250137297494847, -0.33536984775307099},
      {-0.66315843755496728, 0.23231192796964162, 0.0086548952766685918, -0.049770506120634925},
      {0.27663974997723761, 0.38869163873281909, -0.00051282387512020453, -0.41422967595311172},
      {0.095047434909163273, 0.015670177513015804, -0.00051282387512020453, -0.20616428572471507},
      {1.1926648789478091, 0.20233811924794065, -0.11378629372939997, 0.14636562622348939}}},
    {NAMED(gru_batch_first),
     SHAPES(S(2, 5, 3), S(3, 12), S(4, 12), S(12), S(12), S(2, 4)),
     {{5.9633365745104037, -0.93861742755350841, 0.76283770211689883, 0.85255104749539667},
      {-1.7760924828727387, -0.19521751725277925, 0.12846590280496203, -0.32358090931827149},
      {3.8657765652213638, 2.1542728024314783, 0.020805782523705262, 1.6418302326324177},
      {2.8102656976682434, -0.41796111482008502, -0.0031888944121681979, -0.12234352349922478},
      {-1.9312461654071789, -0.45067830429441991, -0.01621352161772413, -0.89560083484974151},
      {-1.4221142287510851, 0.043138129517828028, -0.016213521617724127, -0.48309422194620855},
      {0.24211302046686722, -1.7670886105402621, -0.055417311251481832, 0.70074286895774929}}},
    {NAMED(embedding),
     SHAPES(S(7, 3)),
     {{1.5576171875, 6.0714111328125, -0.45703125, -1.9765625}, {-2.23828125, 4.2216796875, 0.625, -1.1875}}},
};

static double cotangent(int64_t e) { return (double)((e * 211 + 17) % 97 - 48) / 32; }
static double weight(int64_t e, int64_t step, int64_t start)
{
    return (double)((e * step + start) % 101 - 50) / 32;
}

static gr_tensor operand(gr_graph *g, gr_type type, gr_shape shape, int64_t salt)
{
    double data[MOST_ELEMENTS];
    int64_t n = 1;
    for (int i = 0; i < shape.ndim; i++) n *= shape.dims[i];
    for (int64_t e = 0; e < n; e++) data[e] = value(e, salt);
    const gr_tensor x = gr_cast(gr_constant(g, GR_F64, shape, data), type);
    return gr_set_requires_grad(gr_keep(x), true);
}

/* The figures of a tensor; how large its elements are. */
static double figures_of(gr_tensor t, double to[FIGURES])
{
    const int64_t n = gr_count(t);
    const gr_tensor flat = gr_reshape(t, GR_SHAPE(-1));
    double size = 1;
    to[0] = to[1] = 0;
    for (int64_t e = 0; e < n; e++) {
        const double v = GR_AT(flat, e);
        size += fabs(v);
        to[0] += v * weight(e, 53, 5);
        to[1] += v * weight(e, 71, 9);
    }
    to[2] = n ? GR_AT(flat, 0) : 0;
    to[3] = n ? GR_AT(flat, n - 1) : 0;
    return size;
}

static void check_figures(gr_tensor t, const double *expected, double tolerance)
{
    double figures[FIGURES];
    const double size = figures_of(t, figures);
    for (int i = 0; i < FIGURES; i++)
        CHECK_NEAR(figures[i], expected[i], tolerance * (i < 2 ? size : fmax(1, size)));
}

/* The variance of batch_norm_given is made of its operand in the case; in the reference it was the operand: the
   sign of the elements, which is what the absolute value has as its derivative. */
static gr_tensor unsigned_gradient(const reference *r, int k, gr_tensor x, gr_tensor gradient)
{
    return r->f == batch_norm_given && k == 2 ? gr_mul(gradient, gr_sign(x)) : gradient;
}

static void check_reference(const reference *r, gr_type type)
{
    gr_graph *g = gr_graph_create(&(gr_graph_options){.threads = 2});
    gr_tensor x[MOST_OPERANDS];
    double cotangents[MOST_ELEMENTS];
    const int before = test_failures;
    const double tolerance = type == GR_F64 ? 1e-13 : 2e-6;
    for (int k = 0; k < r->n; k++) x[k] = operand(g, type, r->shape[k], k + 1);
    const gr_tensor y = r->f(x);
    const int64_t n = gr_count(y);
    CHECK(gr_is_valid(y) && n <= MOST_ELEMENTS);
    for (int64_t e = 0; e < n; e++) cotangents[e] = cotangent(e);
    const gr_tensor u = gr_cast(gr_constant(g, GR_F64, gr_shape_of(y), cotangents), type);
    check_figures(y, r->figures[0], tolerance);
    CHECK(gr_backward(gr_sum(gr_mul(y, u), GR_ALL_AXES, false)) == GR_OK);
    gr_no_grad_begin(g);
    for (int k = 0; k < r->n; k++)
        check_figures(unsigned_gradient(r, k, x[k], gr_gradient(x[k])), r->figures[k + 1], 20 * tolerance);
    gr_no_grad_end(g);
    if (test_failures != before) printf("  in %s, %s: %s\n", r->name, gr_type_name(type), gr_graph_error(g));
    gr_graph_destroy(g);
}

static void test_references(void)
{
    for (size_t i = 0; i < sizeof references / sizeof *references; i++) {
        check_reference(&references[i], GR_F64);
        check_reference(&references[i], GR_F32);
    }
}

/* The functions of the table, differentiated twice by all operands, against numbers. */
static gr_tensor as_function(gr_graph *g, int n, const gr_tensor *x, void *user)
{
    (void)g, (void)n;
    return ((const reference *)user)->f(x);
}

static void test_second_order(void)
{
    for (size_t i = 0; i < sizeof references / sizeof *references; i++) {
        reference r = references[i];
        gr_graph *g = gr_graph_create(NULL);
        gr_tensor x[MOST_OPERANDS];
        gr_check_result result = {0};
        char text[GR_CHECK_REPORT_BYTES];
        const gr_check_options o = {.order = 2, .seed = 3, .max_elements = 6};
        for (int k = 0; k < r.n; k++) x[k] = operand(g, GR_F64, r.shape[k], k + 1);
        CHECK(gr_gradcheck(g, as_function, r.n, x, &r, &o, &result) == GR_OK);
        CHECK(result.passed && result.order == 2);
        gr_check_report(&result, text, sizeof text);
        if (!result.passed) printf("  %s: %s%s\n", r.name, text, gr_graph_error(g));
        gr_graph_destroy(g);
    }
}

/* ---- Layers ---- */

static gr_tensor filled(gr_graph *g, gr_shape shape, int64_t salt)
{
    return gr_detach(operand(g, GR_F64, shape, salt));
}

static void test_conv_layers(void)
{
    gr_graph *g = gr_graph_create(&(gr_graph_options){.seed = 4});
    const gr_conv_options o = {.padding = {1, 1}, .groups = 2};
    const gr_conv_layer c = gr_conv2d_layer_create(g, "conv1", GR_F64, 4, 6, (int64_t[]){3, 2}, &o, NULL);
    CHECK(gr_same(gr_param_find(g, "conv1.weight"), c.weight) &&
          gr_same(gr_param_find(g, "conv1.bias"), c.bias));
    const gr_tensor x = filled(g, GR_SHAPE(2, 4, 5, 5), 1), y = gr_conv_layer_forward(c, x);
    const gr_tensor same = gr_conv2d(x, c.weight, c.bias, &o);
    CHECK(gr_dim(y, 1) == 6 && gr_dim(y, 2) == 5 && gr_dim(y, 3) == 6);
    CHECK(GR_AT(y, 1, 5, 4, 5) == GR_AT(same, 1, 5, 4, 5));
    CHECK(strcmp(gr_name_scope_of(y), "conv1") == 0);
    gr_conv_layer bare = gr_conv2d_layer_create(g, "bare", GR_F64, 4, 6, (int64_t[]){3, 2}, &o, NULL);
    gr_release(bare.bias);
    bare.bias = GR_NONE;
    CHECK(gr_is_valid(gr_conv_layer_forward(bare, x)));
    const gr_conv_layer t = gr_conv_transpose2d_layer_create(
        g, "up", GR_F64, 4, 6, (int64_t[]){2, 2}, &(gr_conv_options){.stride = {2, 2}, .groups = 2}, NULL);
    CHECK(gr_dim(gr_conv_layer_forward(t, x), 1) == 6 && gr_dim(t.weight, 1) == 3);
    const gr_conv_layer s = gr_conv1d_layer_create(g, "seq", GR_F64, 4, 3, 5, NULL, gr_init_xavier_normal);
    CHECK(gr_dim(gr_conv_layer_forward(s, filled(g, GR_SHAPE(2, 4, 7), 1)), 2) == 3);
    CHECK(gr_graph_status(g) == GR_OK);
    const int n = gr_param_count(g);
    gr_conv2d_layer_create(g, "bad", GR_F64, 5, 6, (int64_t[]){3, 3}, &o, NULL);
    expect(g, GR_ERR_SHAPE, "conv2d_layer_create: 6 and 5 channels cannot be cut into 2 groups");
    gr_conv2d_layer_create(g, "bad", GR_F64, 4, 6, NULL, &o, NULL);
    expect(g, GR_ERR_SHAPE, "negative size");
    gr_conv2d_layer_create(g, "conv1", GR_F64, 4, 6, (int64_t[]){3, 3}, &o, NULL);
    expect(g, GR_ERR_NAME, "conv1.weight");
    const gr_conv_layer failed = gr_conv1d_layer_create(g, "", GR_F64, 4, 3, 5, NULL, NULL);
    expect(g, GR_ERR_NAME, "conv1d_layer_create: a layer needs a name");
    CHECK(!gr_is_valid(gr_conv_layer_forward(failed, x)));
    expect(g, GR_ERR_HANDLE, "conv1d: operand 2");
    gr_conv_layer_forward((gr_conv_layer){.options = o}, x);
    expect(g, GR_ERR_HANDLE, "never made");
    CHECK(gr_param_count(g) == n);
    gr_graph_destroy(g);
}

/* Initialisers know the units of a convolution: the variance of He is 2 / (in kernel). */
static void test_conv_moments(void)
{
    gr_graph *g = gr_graph_create(&(gr_graph_options){.seed = 8});
    const gr_tensor w = gr_param(g, "w", GR_F64, GR_SHAPE(40, 20, 5, 5), NULL);
    gr_init_he_normal(w);
    const gr_tensor m = gr_moments(w, GR_ALL_AXES);
    CHECK_NEAR(GR_AT(m, 1), 2.0 / 500, 5 * 2.0 / 500 * sqrt(2.0 / 20000));
    gr_init_xavier_normal(w);
    const gr_tensor x = gr_moments(w, GR_ALL_AXES);
    CHECK_NEAR(GR_AT(x, 1), 2.0 / 1500, 5 * 2.0 / 1500 * sqrt(2.0 / 20000));
    gr_graph_destroy(g);
}

static void test_embedding(void)
{
    gr_graph *g = gr_graph_create(&(gr_graph_options){.seed = 4});
    const gr_embedding_layer e = gr_embedding_layer_create(g, "words", GR_F64, 50, 40, NULL);
    const gr_tensor m = gr_moments(e.weight, GR_ALL_AXES);
    CHECK_NEAR(GR_AT(m, 0), 0, 5 / sqrt(2000));
    CHECK_NEAR(GR_AT(m, 1), 1, 5 * sqrt(2.0 / 2000));
    const gr_tensor y = gr_embedding_layer_forward(e,
                                                   gr_constant(g, GR_I32, GR_SHAPE(2), (int32_t[]){3, 49}));
    CHECK(gr_dim(y, 0) == 2 && GR_AT(y, 1, 7) == GR_AT(e.weight, 49, 7));
    gr_embedding_layer_forward(e, gr_constant(g, GR_I32, GR_SHAPE(1), (int32_t[]){50}));
    expect(g, GR_ERR_INDEX, "position 50");
    gr_graph_destroy(g);
}

/* Two batches, with the running figures by hand. */
static void test_batch_norm_layer(void)
{
    enum { N = 3, C = 2, HW = 2 };
    gr_graph *g = gr_graph_create(NULL);
    gr_batch_norm_layer bn = gr_batch_norm_layer_create(g, "bn", GR_F64, C);
    double mean[C] = {0, 0}, variance[C] = {1, 1};
    CHECK(gr_param_count(g) == 2 && GR_AT(bn.weight, 1) == 1 && GR_AT(bn.bias, 1) == 0);
    CHECK(strcmp(gr_name(bn.running_variance), "bn.running_var") == 0);
    for (int batch = 0; batch < 2; batch++) {
        const gr_scope scope = gr_scope_begin(g); /* the figures outlive it */
        const gr_tensor x = filled(g, GR_SHAPE(N, C, HW), batch + 5);
        const gr_tensor y = gr_batch_norm_layer_forward(bn, x, true);
        for (int c = 0; c < C; c++) {
            double m = 0, v = 0;
            for (int i = 0; i < N * HW; i++) m += GR_AT(x, i / HW, c, i % HW) / (N * HW);
            for (int i = 0; i < N * HW; i++) v += pow(GR_AT(x, i / HW, c, i % HW) - m, 2) / (N * HW);
            CHECK_NEAR(GR_AT(y, 1, c, 1), (GR_AT(x, 1, c, 1) - m) / sqrt(v + 1e-5), 1e-12);
            mean[c] += 0.1 * (m - mean[c]);
            variance[c] += 0.1 * (v * (N * HW) / (N * HW - 1) - variance[c]);
        }
        gr_backward(gr_sum(gr_square(y), GR_ALL_AXES, false));
        gr_scope_end(scope, 0, NULL);
    }
    for (int c = 0; c < C; c++) {
        CHECK_NEAR(GR_AT(bn.running_mean, c), mean[c], 1e-12);
        CHECK_NEAR(GR_AT(bn.running_variance, c), variance[c], 1e-12);
    }
    const gr_tensor x = filled(g, GR_SHAPE(1, C, 1), 9), y = gr_batch_norm_layer_forward(bn, x, false);
    CHECK_NEAR(GR_AT(y, 0, 1, 0), (GR_AT(x, 0, 1, 0) - mean[1]) / sqrt(variance[1] + 1e-5), 1e-12);
    CHECK(strcmp(gr_name_scope_of(y), "bn") == 0);
    CHECK(GR_AT(bn.running_mean, 0) == mean[0] || fabs(GR_AT(bn.running_mean, 0) - mean[0]) < 1e-12);
    gr_batch_norm_layer_forward(bn, x, true);
    expect(g, GR_ERR_SHAPE, "batch_norm_layer_forward: 1 elements per channel");
    gr_batch_norm_layer_forward(bn, filled(g, GR_SHAPE(3, 4), 1), true);
    expect(g, GR_ERR_SHAPE, "batch_norm: the weight bn.weight must have the sizes of axes 1 to 1");
    CHECK_NEAR(GR_AT(bn.running_mean, 0), mean[0], 1e-12); /* what failed moves nothing */
    gr_batch_norm_layer odd = bn;
    odd.momentum = (double)NAN;
    CHECK(!gr_is_valid(gr_batch_norm_layer_forward(odd, filled(g, GR_SHAPE(3, C), 1), true)));
    expect(g, GR_ERR_ARGUMENT, "batch_norm_layer_forward: the momentum must be in [0, 1], not nan");
    CHECK_NEAR(GR_AT(bn.running_mean, 0), mean[0], 1e-12);
    gr_graph_destroy(g);
}

/* A mean of 1e8 costs no digits of the variance. */
static void test_large_means(void)
{
    gr_graph *g = gr_graph_create(NULL);
    const double x[] = {1e8 + 1, 1e8 + 2, 1e8 + 3, 1e8 + 4};
    const gr_tensor y = gr_standardize(gr_constant(g, GR_F64, GR_SHAPE(4), x), GR_ALL_AXES, 0);
    for (int i = 0; i < 4; i++) CHECK_NEAR(GR_AT(y, i), (i - 1.5) / sqrt(1.25), 1e-14);
    const float f[] = {16777217.0f - 2, 16777217.0f - 4, 16777217.0f - 6, 16777217.0f - 8};
    const gr_tensor z = gr_standardize(gr_constant(g, GR_F32, GR_SHAPE(4), f), GR_ALL_AXES, 0);
    for (int i = 0; i < 4; i++) CHECK_NEAR(GR_AT(z, i), (1.5 - i) / sqrt(1.25), 1e-6);
    gr_graph_destroy(g);
}

static void test_norm_errors(void)
{
    gr_graph *g = gr_graph_create(NULL);
    const gr_tensor x = filled(g, GR_SHAPE(2, 4, 3), 1), w = filled(g, GR_SHAPE(4), 2), none = GR_NONE;
    gr_layer_norm(x, 1, w, none, 1e-5);
    expect(g, GR_ERR_SHAPE, "layer_norm: the weight  must have the sizes of axes 2 to 2");
    gr_layer_norm(x, 0, none, none, 1e-5);
    expect(g, GR_ERR_ARGUMENT, "layer_norm: over 0 axes");
    gr_layer_norm(x, 4, none, none, 1e-5);
    expect(g, GR_ERR_NDIM, "layer_norm: needs at least 4 axes");
    gr_layer_norm(x, 1, none, none, -1);
    expect(g, GR_ERR_ARGUMENT, "eps must be finite and not negative");
    gr_rms_norm(x, 1, none, (double)NAN);
    expect(g, GR_ERR_ARGUMENT, "rms_norm: eps");
    gr_group_norm(x, 3, none, none, 1e-5);
    expect(g, GR_ERR_SHAPE, "group_norm: 4 channels cannot be cut into 3 groups");
    gr_group_norm(x, 2, none, filled(g, GR_SHAPE(3), 2), 1e-5);
    expect(g, GR_ERR_SHAPE, "group_norm: the bias");
    gr_batch_norm(x, w, none, none, none, 1e-5);
    expect(g, GR_ERR_ARGUMENT, "batch_norm: needs both mean and variance");
    gr_batch_norm(filled(g, GR_SHAPE(4), 1), none, none, none, none, 1e-5);
    expect(g, GR_ERR_NDIM, "batch_norm: needs at least 2 axes");
    gr_standardize(x, GR_AXES(1, 1), 1e-5);
    expect(g, GR_ERR_AXIS, "an axis is named twice");
    gr_moments(gr_zeros(g, GR_I32, GR_SHAPE(3)), GR_ALL_AXES);
    expect(g, GR_ERR_TYPE, "moments");
    const gr_norm_layer l = gr_norm_layer_create(g, "norm", GR_F64, GR_SHAPE(4, 3));
    const gr_tensor y = gr_norm_layer_forward(l, x), z = gr_layer_norm(x, 2, none, none, 1e-5);
    CHECK(GR_AT(y, 1, 3, 2) == GR_AT(z, 1, 3, 2) && gr_graph_status(g) == GR_OK);
    gr_norm_layer_forward((gr_norm_layer){{g, 0, 0}, {g, 0, 0}, 1e-5}, x);
    CHECK(gr_graph_status(g) == GR_ERR_HANDLE);
    gr_graph_destroy(g);
}

/* ---- Attention ---- */

/* A query that sees nothing gives 0, and gradients of 0, by each kind of mask. */
static void test_fully_masked(void)
{
    gr_graph *g = gr_graph_create(NULL);
    const unsigned char mask[] = {1, 0, 0, 0, 0, 0};
    const double added[] = {0, -INFINITY, -INFINITY, -INFINITY, -INFINITY, -INFINITY};
    const gr_tensor masks[] = {gr_constant(g, GR_BOOL, GR_SHAPE(2, 3), mask),
                               gr_constant(g, GR_F64, GR_SHAPE(2, 3), added)};
    for (int i = 0; i < 2; i++) {
        const gr_tensor q = operand(g, GR_F64, GR_SHAPE(2, 4), 1), k = operand(g, GR_F64, GR_SHAPE(3, 4), 2);
        const gr_tensor v = operand(g, GR_F64, GR_SHAPE(3, 2), 3);
        gr_tensor weights;
        const gr_tensor y = gr_attention(q, k, v,
                                         &(gr_attention_options){.mask = masks[i], .weights = &weights});
        CHECK(GR_AT(y, 0, 0) == GR_AT(v, 0, 0) && GR_AT(y, 1, 0) == 0 && GR_AT(y, 1, 1) == 0);
        CHECK(GR_AT(weights, 0, 0) == 1 && GR_AT(weights, 1, 0) == 0);
        gr_backward(gr_sum(gr_square(y), GR_ALL_AXES, false));
        for (int e = 0; e < 4; e++)
            CHECK(GR_AT(gr_gradient(q), 1, e) == 0 && GR_AT(gr_gradient(k), 2, e) == 0);
        CHECK(GR_AT(gr_gradient(v), 1, 0) == 0);
    }
    CHECK(gr_graph_status(g) == GR_OK);
    gr_graph_destroy(g);
}

/* Causal: a later key changes nothing of what an earlier query gives; with a mask, both hold. */
static void test_causal(void)
{
    gr_graph *g = gr_graph_create(NULL);
    const gr_attention_options o = {.causal = true}, both = {.causal = true, .mask = some_mask(g, 4, 4)};
    const gr_tensor x = filled(g, GR_SHAPE(4, 3), 1), part = gr_slice(x, 0, 0, 2, 1);
    const gr_tensor y = gr_attention(x, x, x, &o), z = gr_attention(part, part, part, &o);
    for (int i = 0; i < 6; i++) CHECK_NEAR(GR_AT(y, i / 3, i % 3), GR_AT(z, i / 3, i % 3), 1e-14);
    gr_tensor weights = GR_NONE;
    gr_attention_options look = both;
    look.weights = &weights;
    gr_attention(x, x, x, &look);
    for (int i = 0; i < 16; i++)
        CHECK((GR_AT(weights, i / 4, i % 4) > 0) == (i % 4 <= i / 4 && i * 7 % 5 != 0));
    gr_graph_destroy(g);
}

static void test_multihead_layer(void)
{
    gr_graph *g = gr_graph_create(&(gr_graph_options){.seed = 6});
    const gr_multihead_attention a = gr_multihead_attention_create(g, "self", GR_F64, 6, 3, NULL);
    CHECK(gr_param_count(g) == 4 && gr_dim(a.in.weight, 1) == 18 &&
          gr_is_valid(gr_param_find(g, "self.out.bias")));
    const gr_tensor x = filled(g, GR_SHAPE(2, 5, 6), 1), copy = filled(g, GR_SHAPE(2, 5, 6), 1);
    gr_tensor weights;
    const gr_attention_options o = {.causal = true, .weights = &weights};
    const gr_tensor one = gr_multihead_attention_forward(a, x, x, x, &o);
    CHECK(gr_ndim(weights) == 4 && gr_dim(weights, 1) == 3 && strcmp(gr_name_scope_of(one), "self") == 0);
    const gr_tensor apart = gr_multihead_attention_forward(a, x, copy, copy, &o);
    for (int i = 0; i < 60; i++)
        CHECK_NEAR(GR_AT(one, i / 30, i / 6 % 5, i % 6), GR_AT(apart, i / 30, i / 6 % 5, i % 6), 1e-13);
    const gr_attention_options dropping = {.dropout = 0.5, .training = true};
    const gr_tensor dropped = gr_multihead_attention_forward(a, x, x, x, &dropping);
    const gr_tensor plain = gr_multihead_attention_forward(a, x, x, x,
                                                           &(gr_attention_options){.dropout = 0.5});
    CHECK(GR_AT(dropped, 0, 0, 0) != GR_AT(plain, 0, 0, 0));
    CHECK(gr_graph_status(g) == GR_OK);
    gr_multihead_attention_forward(a, gr_select(x, 0, 0), x, x, NULL);
    expect(g, GR_ERR_NDIM, "needs queries, keys and values [n, length, 6]");
    const gr_multihead_attention bad = gr_multihead_attention_create(g, "bad", GR_F64, 7, 3, NULL);
    expect(g, GR_ERR_SHAPE, "7 features cannot be cut into 3 heads");
    CHECK(gr_param_count(g) == 4);
    gr_multihead_attention_forward(bad, x, x, x, NULL);
    expect(g, GR_ERR_HANDLE, "creation failed");
    gr_attention(gr_select(gr_select(x, 0, 0), 0, 0), x, x, NULL);
    expect(g, GR_ERR_NDIM, "attention: queries, keys and values need two axes at least: 1, 3 and 3");
    gr_attention(x, filled(g, GR_SHAPE(2, 5, 4), 1), x, NULL);
    expect(g, GR_ERR_SHAPE, "attention: queries of 6 features, keys of 4");
    gr_attention(x, x, filled(g, GR_SHAPE(2, 4, 6), 1), NULL);
    expect(g, GR_ERR_SHAPE, "attention: 5 keys, 4 values");
    gr_graph_destroy(g);
}

/* ---- Recurrent layers ---- */

/* A sequence is the cell, step by step, however long; and as two parts. */
static void test_sequence_is_steps(void)
{
    enum { T = 21, N = 2, H = 3 };
    for (int kind = GR_RNN_TANH; kind <= GR_GRU; kind++) {
        gr_graph *g = gr_graph_create(&(gr_graph_options){.seed = 6});
        const gr_recurrent l = gr_recurrent_create(g, "cell", GR_F64, (gr_recurrent_kind)kind, 4, H, NULL);
        gr_init_uniform(l.bias_ih, -1, 1);
        gr_init_uniform(l.bias_hh, -1, 1);
        CHECK(gr_param_count(g) == 4 && fabs(GR_AT(l.weight_hh, 0, 0)) < 1 / sqrt(H));
        const gr_tensor x = filled(g, GR_SHAPE(T, N, 4), 2);
        gr_recurrent_state all = {0}, step = {0}, half = {0};
        const gr_tensor y = gr_recurrent_forward(l, x, &all, NULL);
        const gr_tensor first = gr_recurrent_forward(l, gr_slice(x, 0, 0, 10, 1), &half, NULL);
        const gr_tensor second = gr_recurrent_forward(l, gr_slice(x, 0, 10, T, 1), &half, NULL);
        for (int t = 0; t < T; t++) {
            step = gr_recurrent_step(l, gr_select(x, 0, t), step);
            for (int i = 0; i < N * H; i++) {
                CHECK_NEAR(GR_AT(y, t, i / H, i % H), GR_AT(step.h, i / H, i % H), 1e-13);
                const gr_tensor part = t < 10 ? first : second;
                CHECK_NEAR(GR_AT(part, t % 10 + (t == 20) * 10, i / H, i % H), GR_AT(step.h, i / H, i % H),
                           1e-13);
            }
        }
        CHECK_NEAR(GR_AT(all.h, 1, 2), GR_AT(step.h, 1, 2), 1e-13);
        CHECK_NEAR(GR_AT(half.h, 1, 2), GR_AT(step.h, 1, 2), 1e-13);
        if (kind == GR_LSTM) CHECK_NEAR(GR_AT(all.c, 1, 2), GR_AT(step.c, 1, 2), 1e-13);
        CHECK(strcmp(gr_name_scope_of(step.h), "cell") == 0 && gr_graph_status(g) == GR_OK);
        /* one sequence alone; no steps */
        const gr_tensor alone = gr_recurrent_forward(l, gr_select(x, 1, 1), NULL, NULL);
        CHECK(gr_ndim(alone) == 2);
        CHECK_NEAR(GR_AT(alone, 20, 2), GR_AT(y, 20, 1, 2), 1e-13);
        const gr_tensor none = gr_recurrent_forward(l, gr_slice(x, 0, 0, 0, 1), &all, NULL);
        CHECK(gr_count(none) == 0 && gr_dim(none, 2) == H);
        CHECK_NEAR(GR_AT(all.h, 1, 2), GR_AT(step.h, 1, 2), 1e-13);
        gr_graph_destroy(g);
    }
}

static void test_recurrent_errors(void)
{
    gr_graph *g = gr_graph_create(NULL);
    const gr_recurrent l = gr_recurrent_create(g, "lstm", GR_F64, GR_LSTM, 4, 3, gr_init_xavier_uniform);
    gr_recurrent_state state = {.h = filled(g, GR_SHAPE(5, 3), 1)};
    CHECK(!gr_is_valid(gr_recurrent_forward(l, filled(g, GR_SHAPE(6, 2, 4), 1), &state, NULL)));
    expect(g, GR_ERR_SHAPE, "the state h must be [n, 3], with n as x has it");
    CHECK(!gr_is_valid(state.h) && !gr_is_valid(state.c));
    gr_recurrent_forward(l, filled(g, GR_SHAPE(6, 2, 5), 1), NULL, NULL);
    expect(g, GR_ERR_SHAPE, "recurrent layer: needs x [time, n, 4]");
    gr_recurrent_step(l, filled(g, GR_SHAPE(6, 2, 4), 1), (gr_recurrent_state){0});
    expect(g, GR_ERR_NDIM, "recurrent layer: needs x [n, 4]");
    const gr_recurrent bad = gr_recurrent_create(g, "bad", GR_F64, GR_LSTM, 4, 0, NULL);
    expect(g, GR_ERR_ARGUMENT, "recurrent_create: kind 2, from 4 features to 0");
    gr_recurrent_create(g, "bad", GR_F64, (gr_recurrent_kind)9, 4, 2, NULL);
    expect(g, GR_ERR_ARGUMENT, "kind 9");
    gr_recurrent_create(g, "lstm", GR_F64, GR_GRU, 4, 2, NULL);
    expect(g, GR_ERR_NAME, "lstm.weight_ih");
    CHECK(gr_param_count(g) == 4);
    gr_recurrent unknown = gr_recurrent_create(g, "rnn", GR_F64, GR_RNN_TANH, 4, 2, NULL);
    unknown.kind = (gr_recurrent_kind)77;
    gr_recurrent_forward(unknown, filled(g, GR_SHAPE(6, 2, 4), 1), NULL, NULL);
    expect(g, GR_ERR_ARGUMENT, "recurrent layer: there is no kind 77");
    gr_recurrent_step(unknown, filled(g, GR_SHAPE(2, 4), 1), (gr_recurrent_state){0});
    expect(g, GR_ERR_ARGUMENT, "recurrent layer: there is no kind 77");
    gr_recurrent_forward(bad, filled(g, GR_SHAPE(6, 2, 4), 1), NULL, NULL);
    expect(g, GR_ERR_HANDLE, "its creation failed");
    gr_graph_destroy(g);
}

/* Messages about handles name the layer, not what it asked of them. */
static void test_dead_operands(void)
{
    gr_graph *g = gr_graph_create(NULL);
    const gr_recurrent rnn = gr_recurrent_create(g, "rnn", GR_F64, GR_GRU, 4, 2, NULL);
    const gr_multihead_attention heads = gr_multihead_attention_create(g, "heads", GR_F64, 4, 2, NULL);
    const gr_tensor x = gr_keep(filled(g, GR_SHAPE(1, 3, 4), 1)), stale = gr_exp(x), bad = {g, 0, 0};
    gr_graph_reset(g);
    gr_dropout(stale, 0.5, true);
    expect(g, GR_ERR_STALE, "dropout: x is a stale handle");
    gr_dropout(bad, 0.5, true);
    expect(g, GR_ERR_HANDLE, "dropout: x is an invalid handle");
    gr_attention(x, stale, x, NULL);
    expect(g, GR_ERR_STALE, "attention: the key is a stale handle");
    gr_attention(x, x, x, &(gr_attention_options){.mask = stale});
    expect(g, GR_ERR_STALE, "attention: the mask is a stale handle");
    gr_multihead_attention_forward(heads, x, x, bad, NULL);
    expect(g, GR_ERR_HANDLE, "multihead_attention_forward: the value is an invalid handle");
    gr_layer_norm(stale, 1, GR_NONE, GR_NONE, 1e-5);
    expect(g, GR_ERR_STALE, "layer_norm: x is a stale handle");
    gr_recurrent_forward(rnn, stale, NULL, NULL);
    expect(g, GR_ERR_STALE, "recurrent layer: x is a stale handle");
    gr_recurrent_forward(rnn, x, &(gr_recurrent_state){.h = stale}, NULL);
    expect(g, GR_ERR_STALE, "recurrent layer: h is a stale handle");
    gr_l2_penalty(g, 1, 1, &stale);
    expect(g, GR_ERR_STALE, "l2_penalty: tensor 1 is a stale handle");
    gr_graph_destroy(g);
}

int main(void)
{
    RUN(test_references);
    RUN(test_second_order);
    RUN(test_conv_layers);
    RUN(test_conv_moments);
    RUN(test_embedding);
    RUN(test_batch_norm_layer);
    RUN(test_large_means);
    RUN(test_norm_errors);
    RUN(test_fully_masked);
    RUN(test_causal);
    RUN(test_multihead_layer);
    RUN(test_sequence_is_steps);
    RUN(test_recurrent_errors);
    RUN(test_dead_operands);
    return TEST_EXIT;
}
