/*
 * Losses: operands, options, value and slopes. Computed by PyTorch 2.15 in double precision, by autograd;
 * test_reference_values.c holds Gradus against them.
 *
 * Where there is a loss for each sample or element, the slopes are those of its sum with cotangents of 0.5, -1, 1.5, -2, ...
 */
#ifndef GRADUS_REFERENCE_LOSSES_H
#define GRADUS_REFERENCE_LOSSES_H

/* clang-format off */
static const double loss_y[] = {0.5, -1.5, 2, 0.1, 1, -0.25, 3, -10000, 10000, 0, -2.5, 7};
static const double loss_t[] = {1, -1.5, 0.5, 1.1, 2, 0, -3, 10000, 10000, 1, -2.5, -1};
static const double loss_p[] = {0.1, 0.9, 0.5, 0.001, 0.999, 0.25, 0.75, 1e-09, 0.6, 0.4, 0.3, 0.05};
static const double loss_pt[] = {0, 1, 0.5, 1, 0, 0.3, 1, 0, 0.2, 0.9, 1, 0};
static const double loss_logits[] = {0.5, -1.5, 2, 30, -5, 0.25, 10000, -10000, 10000, -10000, 700, 0};
static const double loss_signs[] = {1, -1, 1, -1, 1, 1, -1, 1, -1, 1, -1, 1};
static const double loss_positive_weight[] = {0.5, 2, 3, 1.25};
static const double loss_class_weights[] = {0.5, 2, 0, 1.5};
static const double loss_scores[] = {0.3, -1.2, 2.1, 0, 0.7, -0.4, 5, -3, 10000, -10000, -0.1, 0.9};
static const double loss_onehot[] = {0, 1, 0, 0, 0.25, 0.5, 0.15, 0.1, 1, 0, 0, 0};
static const double loss_log_p[] = {-2.0811395798520573, -3.581139579852057, -0.28113957985205706,
    -2.381139579852057, -4.3182529984008085, -5.418252998400809, -0.01825299840080852, -8.018252998400808,
    -0.9005022113088537, -2.4005022113088534, -2.000502211308854, -1.0005022113088535};
static const double loss_q[] = {0.08997599182352128, 0.2445801035714575, 0.6648376511409242, 1e-10,
    0.15705976334958283, 0.15705976334958283, 0.2589477726055856, 0.4269327006952489,
    0.0024521773975637946, 0.0009021056506690105, 0.007366748022450534, 0.9892789689293167};
static const double loss_log_q[] = {-2.408212401754417, -1.4082124017544173, -0.40821240175441725,
    -7.408212401754417, -1.8511288877882128, -1.8511288877882128, -1.3511288877882128, -0.8511288877882129,
    -6.010778915415956, -7.010778915415956, -4.910778915415956, -0.01077891541595562};
static const double loss_a[] = {1, 2, -1, 0.5, 0, 0, 0, 0, -3, 10000, 2, 0.1};
static const double loss_b[] = {0.5, -1, 2, 1, 1, -1, 0.5, 2, -3, 10000, 2, 0.1};
static const double loss_n[] = {3, 1, -1, 0.25, 0.5, 0.5, -1, 0, 2, 10000, -7, 1};
static const int32_t loss_labels[] = {0, 3, 1};
static const int32_t loss_ignoring[] = {0, -100, 3};
static const double mse_mean_value[] = {33333342.130208332};
static const double mse_mean_by_0[] = {-0.08333333333333333, 0, 0.25, -0.16666666666666666,
    -0.16666666666666666, -0.041666666666666664, 1, -3333.333333333333, 0, -0.16666666666666666, 0,
    1.3333333333333333};
static const double mse_mean_by_1[] = {0.08333333333333333, 0, -0.25, 0.16666666666666666,
    0.16666666666666666, 0.041666666666666664, -1, 3333.333333333333, 0, 0.16666666666666666, 0,
    -1.3333333333333333};
static const double mse_none_value[] = {0.25, 0, 2.25, 1, 1, 0.0625, 36, 400000000, 0, 1, 0, 64};
static const double mse_none_by_0[] = {-0.5, -0, 4.5, 4, -5, 1.5, 42, 160000, 0, 10, 0, -96};
static const double mse_none_by_1[] = {0.5, -0, -4.5, -4, 5, -1.5, -42, -160000, 0, -10, 0, 96};
static const double l1_loss_mean_value[] = {1668.2708333333333};
static const double l1_loss_mean_by_0[] = {-0.08333333333333333, 0, 0.08333333333333333,
    -0.08333333333333333, -0.08333333333333333, -0.08333333333333333, 0.08333333333333333,
    -0.08333333333333333, 0, -0.08333333333333333, 0, 0.08333333333333333};
static const double l1_loss_mean_by_1[] = {0.08333333333333333, -0, -0.08333333333333333,
    0.08333333333333333, 0.08333333333333333, 0.08333333333333333, -0.08333333333333333,
    0.08333333333333333, -0, 0.08333333333333333, -0, -0.08333333333333333};
static const double l1_loss_none_value[] = {0.5, 0, 1.5, 1, 1, 0.25, 6, 20000, 0, 1, 0, 8};
static const double l1_loss_none_by_0[] = {-0.5, -0, 1.5, 2, -2.5, 3, 3.5, 4, 0, 5, 0, -6};
static const double l1_loss_none_by_1[] = {0.5, 0, -1.5, -2, 2.5, -3, -3.5, -4, -0, -5, -0, 6};
static const double huber_1_mean_value[] = {1667.9296875};
static const double huber_1_mean_by_0[] = {-0.041666666666666664, 0, 0.08333333333333333,
    -0.08333333333333333, -0.08333333333333333, -0.020833333333333332, 0.08333333333333333,
    -0.08333333333333333, 0, -0.08333333333333333, 0, 0.08333333333333333};
static const double huber_1_mean_by_1[] = {0.041666666666666664, 0, -0.08333333333333333,
    0.08333333333333333, 0.08333333333333333, 0.020833333333333332, -0.08333333333333333,
    0.08333333333333333, 0, 0.08333333333333333, 0, -0.08333333333333333};
static const double huber_1_none_value[] = {0.125, 0, 1, 0.5, 0.5, 0.03125, 5.5, 19999.5, 0, 0.5, 0, 7.5};
static const double huber_1_none_by_0[] = {-0.25, -0, 1.5, 2, -2.5, 0.75, 3.5, 4, 0, 5, 0, -6};
static const double huber_1_none_by_1[] = {0.25, -0, -1.5, -2, 2.5, -0.75, -3.5, -4, 0, -5, 0, 6};
static const double huber_0_25_mean_value[] = {417.0442708333333};
static const double huber_0_25_mean_by_0[] = {-0.020833333333333332, 0, 0.020833333333333332,
    -0.020833333333333332, -0.020833333333333332, -0.020833333333333332, 0.020833333333333332,
    -0.020833333333333332, 0, -0.020833333333333332, 0, 0.020833333333333332};
static const double huber_0_25_mean_by_1[] = {0.020833333333333332, 0, -0.020833333333333332,
    0.020833333333333332, 0.020833333333333332, 0.020833333333333332, -0.020833333333333332,
    0.020833333333333332, 0, 0.020833333333333332, 0, -0.020833333333333332};
static const double huber_0_25_none_value[] = {0.09375, 0, 0.34375, 0.21875, 0.21875, 0.03125, 1.46875,
    4999.96875, 0, 0.21875, 0, 1.96875};
static const double huber_0_25_none_by_0[] = {-0.125, -0, 0.375, 0.5, -0.625, 0.75, 0.875, 1, 0, 1.25, 0,
    -1.5};
static const double huber_0_25_none_by_1[] = {0.125, -0, -0.375, -0.5, 0.625, -0.75, -0.875, -1, 0, -1.25,
    0, 1.5};
static const double smooth_l1_1_mean_value[] = {1667.9296875};
static const double smooth_l1_1_mean_by_0[] = {-0.041666666666666664, 0, 0.08333333333333333,
    -0.08333333333333333, -0.08333333333333333, -0.020833333333333332, 0.08333333333333333,
    -0.08333333333333333, 0, -0.08333333333333333, 0, 0.08333333333333333};
static const double smooth_l1_1_mean_by_1[] = {0.041666666666666664, 0, -0.08333333333333333,
    0.08333333333333333, 0.08333333333333333, 0.020833333333333332, -0.08333333333333333,
    0.08333333333333333, 0, 0.08333333333333333, 0, -0.08333333333333333};
static const double smooth_l1_1_none_value[] = {0.125, 0, 1, 0.5, 0.5, 0.03125, 5.5, 19999.5, 0, 0.5, 0, 7.5};
static const double smooth_l1_1_none_by_0[] = {-0.25, -0, 1.5, 2, -2.5, 0.75, 3.5, 4, 0, 5, 0, -6};
static const double smooth_l1_1_none_by_1[] = {0.25, -0, -1.5, -2, 2.5, -0.75, -3.5, -4, 0, -5, 0, 6};
static const double smooth_l1_0_25_mean_value[] = {1668.1770833333333};
static const double smooth_l1_0_25_mean_by_0[] = {-0.08333333333333333, 0, 0.08333333333333333,
    -0.08333333333333333, -0.08333333333333333, -0.08333333333333333, 0.08333333333333333,
    -0.08333333333333333, 0, -0.08333333333333333, 0, 0.08333333333333333};
static const double smooth_l1_0_25_mean_by_1[] = {0.08333333333333333, 0, -0.08333333333333333,
    0.08333333333333333, 0.08333333333333333, 0.08333333333333333, -0.08333333333333333,
    0.08333333333333333, 0, 0.08333333333333333, 0, -0.08333333333333333};
static const double smooth_l1_0_25_none_value[] = {0.375, 0, 1.375, 0.875, 0.875, 0.125, 5.875, 19999.875,
    0, 0.875, 0, 7.875};
static const double smooth_l1_0_25_none_by_0[] = {-0.5, -0, 1.5, 2, -2.5, 3, 3.5, 4, 0, 5, 0, -6};
static const double smooth_l1_0_25_none_by_1[] = {0.5, -0, -1.5, -2, 2.5, -3, -3.5, -4, 0, -5, 0, 6};
static const double log_cosh_mean_value[] = {1667.8523659740076};
static const double log_cosh_mean_by_0[] = {-0.03850976310500081, 0, 0.0754290211370722,
    -0.0634661796629804, -0.0634661796629804, -0.020409888533642423, 0.08333230930423297,
    -0.08333333333333333, 0, -0.0634661796629804, 0, 0.08333331457747299};
static const double log_cosh_mean_by_1[] = {0.03850976310500081, -0, -0.0754290211370722,
    0.0634661796629804, 0.0634661796629804, 0.020409888533642423, -0.08333230930423297,
    0.08333333333333333, -0, 0.0634661796629804, -0, -0.08333331457747299};
static const double log_cosh_none_value[] = {0.12011450695827752, 0, 0.8554401710137968,
    0.4337808304830272, 0.4337808304830272, 0.0309298036201614, 5.306858963633532, 19999.30685281944, 0,
    0.4337808304830272, 0, 7.306852931975223};
static const double log_cosh_none_by_0[] = {-0.2310585786300049, 0, 1.3577223804672998, 1.5231883119115297,
    -1.9039853898894123, 0.7347559872111273, 3.4999569907777843, 4, 0, 3.8079707797788247, 0,
    -5.999998649578055};
static const double log_cosh_none_by_1[] = {0.2310585786300049, -0, -1.3577223804672998,
    -1.5231883119115297, 1.9039853898894123, -0.7347559872111273, -3.4999569907777843, -4, -0,
    -3.8079707797788247, -0, 5.999998649578055};
static const double bce_mean_value[] = {1.5492112193644345};
static const double bce_mean_by_0[] = {0.09259259259259257, -0.0925925925925926, 0, -83.33333333333333,
    83.33333333333324, -0.022222222222222216, -0.1111111111111111, 0.08333333341666666,
    0.13888888888888887, -0.17361111111111113, -0.27777777777777773, 0.08771929824561403};
static const double bce_mean_by_1[] = {0.18310204811135158, -0.18310204811135164, -0, 0.5755628982207128,
    -0.5755628982207127, 0.09155102405567582, -0.09155102405567582, 1.7269388196622009,
    -0.03378875900901369, 0.03378875900901369, 0.07060815503226696, 0.2453699149305367};
static const double bce_none_value[] = {0.10536051565782631, 0.10536051565782628, 0.6931471805599453,
    6.907755278982137, 6.907755278982136, 0.6172657590522138, 0.2876820724517809, 1.0000000005000001e-09,
    0.8351977102525222, 0.8757442210633385, 1.2039728043259361, 0.051293294387550536};
static const double bce_none_by_0[] = {0.5555555555555555, 1.1111111111111112, 0, 1999.9999999999998,
    2499.9999999999977, 0.7999999999999998, -4.666666666666667, -4.000000003999999, 7.499999999999999,
    10.416666666666668, -18.333333333333332, -6.3157894736842115};
static const double bce_none_by_1[] = {1.0986122886681096, 2.1972245773362196, -0, -13.813509557297108,
    -17.266886946621383, -3.295836866004329, -3.845143010338384, -82.89306334378564, -1.824592986486739,
    -2.0273255405408213, 4.660138232129619, -17.66663387499864};
static const double bce_with_logits_mean_value[] = {1417.104435018511};
static const double bce_with_logits_mean_by_0[] = {0.05187161093348788, -0.0681312063494703,
    0.031733089831490195, -7.790064889453182e-15, 0.0005577375770237379, 0.021848041740483173, 0, 0,
    0.06666666666666667, -0.075, 0, 0.041666666666666664};
static const double bce_with_logits_mean_by_1[] = {-0.041666666666666664, 0.125, -0.16666666666666666,
    -2.5, 0.4166666666666667, -0.020833333333333332, -833.3333333333334, 833.3333333333334,
    -833.3333333333334, 833.3333333333334, -58.333333333333336, -0};
static const double bce_with_logits_none_value[] = {0.9740769841801067, 1.7014132779827524,
    1.1269280110429725, 9.357622968839737e-14, 0.006715348489118256, 0.7509394198788435, 0, 0, 8000, 9000,
    9.85967654375977e-305, 0.6931471805599453};
static const double bce_with_logits_none_by_0[] = {0.3112296656009273, 0.8175744761936437,
    0.5711956169668235, 1.8696155734687636e-13, 0.01673212731071214, -0.7865295026573942, 0, -0, 3.6, 4.5,
    0, -3};
static const double bce_with_logits_none_by_1[] = {-0.25, -1.5, -3, 60, 12.5, 0.75, -35000, -40000, -45000,
    -50000, -3850, 0};
static const double bce_with_logits_weighted_mean_value[] = {2167.2711952780933};
static const double bce_with_logits_weighted_mean_by_0[] = {0.05187161093348788, -0.1362624126989406,
    0.02179951299631372, -9.732955182547206e-15, 0.0005577375770237379, 0.010902454262628128, 0, 0,
    0.06666666666666668, -0.15, 0, 0.041666666666666664};
static const double bce_with_logits_weighted_mean_by_1[] = {-0.06141987434083778, 0.26678443983189604,
    -0.14551199815950458, -2.499999999999998, 0.20805352714628675, 0.027161618323236963,
    -833.3333333333334, 1041.6666666666667, -833.3333333333334, 1666.6666666666667, -58.333333333333336,
    0.01444056626166553};
static const double bce_with_logits_weighted_none_value[] = {0.9740769841801067, 3.402826555965505,
    1.253856022085945, 1.169702871104967e-13, 0.006715348489118256, 0.9237212458424966, 0, 0, 8000, 18000,
    2.957902963127931e-304, 0.6931471805599453};
static const double bce_with_logits_weighted_none_by_0[] = {0.3112296656009273, 1.6351489523872873,
    0.39239123393364694, 2.3359092438113294e-13, 0.01673212731071214, -0.39248835345461264, 0, -0,
    3.6000000000000005, 9, 0, -3};
static const double bce_with_logits_weighted_none_by_1[] = {-0.36851924604502667, -3.2014132779827524,
    -2.6192159668710824, 59.99999999999995, 6.241605814388603, -0.9778182596365307, -35000, -50000, -45000,
    -100000, -3850, -1.039720770839918};
static const double hinge_mean_value[] = {1667.4875};
static const double hinge_mean_by_0[] = {-0.08333333333333333, 0, -0, 0.08333333333333333, -0,
    -0.08333333333333333, 0.08333333333333333, -0.08333333333333333, 0.08333333333333333,
    -0.08333333333333333, 0, -0};
static const double hinge_mean_by_1[] = {-0.041666666666666664, 0, -0, -0.008333333333333333, -0,
    0.020833333333333332, -0.25, 833.3333333333333, -833.3333333333333, -0, 0, -0};
static const double hinge_none_value[] = {0.5, 0, 0, 1.1, 0, 1.25, 4, 10001, 10001, 1, 0, 0};
static const double hinge_none_by_0[] = {-0.5, 0, -0, -2, -0, 3, 3.5, 4, 4.5, 5, 0, -0};
static const double hinge_none_by_1[] = {-0.25, 0, -0, 0.2, -0, -0.75, -10.5, -40000, -45000, 0, 0, -0};
static const double cross_entropy_mean_value[] = {6670.033130859418};
static const double cross_entropy_mean_by_0[] = {-0.2917373582217108, 0.009281316588186435,
    0.2516409853638112, 0.03081505626971321, 0.0044410462559349405, 0.0014782958799663616,
    0.3273041928727674, -0.3332235350086687, 0.3333333333333333, -0.3333333333333333, 0, 0};
static const double cross_entropy_none_value[] = {2.0811395798520573, 8.018252998400808, 20000};
static const double cross_entropy_none_by_0[] = {-0.43760603733256626, 0.013921974882279654,
    0.37746147804571684, 0.04622258440456982, -0.013323138767804823, -0.004434887639899085,
    -0.9819125786183023, 0.9996706050260061, 1.5, -1.5, 0, 0};
static const double cross_entropy_smoothed_mean_value[] = {6336.573964192751};
static const double cross_entropy_smoothed_mean_by_0[] = {-0.26673735822171085, 0.0009479832548531053,
    0.24330765203047797, 0.02248172293637989, -0.003892287077398392, -0.006855037453366971,
    0.3189708595394341, -0.3082235350086687, 0.32500000000000007, -0.30833333333333335,
    -0.008333333333333333, -0.008333333333333333};
static const double cross_entropy_smoothed_none_value[] = {2.0811395798520573, 7.660752998400808, 18999.98};
static const double cross_entropy_smoothed_none_by_0[] = {-0.4001060373325663, 0.0014219748822796533,
    0.3649614780457168, 0.03372258440456982, 0.011676861232195178, 0.020565112360100918,
    -0.9569125786183023, 0.9246706050260062, 1.4625000000000004, -1.3875000000000002,
    -0.037500000000000006, -0.037500000000000006};
static const double cross_entropy_weighted_mean_value[] = {10003.266987321882};
static const double cross_entropy_weighted_mean_by_0[] = {-0.10940150933314156, 0.0034804937205699135,
    0.09436536951142921, 0.011555646101142455, 0.0049961770379268085, 0.001663082864962157,
    0.3682172169818634, -0.37487647688475234, 0.5, -0.5, 0, 0};
static const double cross_entropy_weighted_none_value[] = {1.0405697899260287, 12.027379497601212, 40000};
static const double cross_entropy_weighted_none_by_0[] = {-0.21880301866628313, 0.006960987441139827,
    0.18873073902285842, 0.02311129220228491, -0.019984708151707234, -0.006652331459848628,
    -1.4728688679274535, 1.4995059075390094, 3, -3, 0, 0};
static const double cross_entropy_ignoring_mean_value[] = {5000.590569789926};
static const double cross_entropy_ignoring_mean_by_0[] = {-0.43760603733256626, 0.013921974882279654,
    0.37746147804571684, 0.04622258440456982, 0, 0, 0, 0, 0.5, 0, 0, -0.5};
static const double cross_entropy_ignoring_none_value[] = {2.0811395798520573, 0, 9999.1};
static const double cross_entropy_ignoring_none_by_0[] = {-0.43760603733256626, 0.013921974882279654,
    0.37746147804571684, 0.04622258440456982, 0, 0, 0, 0, 1.5, 0, 0, -1.5};
static const double cross_entropy_everything_mean_value[] = {7312.782620363452};
static const double cross_entropy_everything_mean_by_0[] = {-0.15319392426616804, -0.06595071632651822,
    0.2453499607297159, -0.026205320137029618, 0, 0, 0, 0, 0.6562499999999999, -0.075, 0,
    -0.5812499999999999};
static const double cross_entropy_everything_none_value[] = {1.6114907269038372, 0, 14623.95375};
static const double cross_entropy_everything_none_by_0[] = {-0.15319392426616804, -0.06595071632651822,
    0.2453499607297159, -0.026205320137029618, 0, 0, 0, 0, 1.9687499999999996, -0.22499999999999998, 0,
    -1.7437499999999997};
static const double onehot_mean_value[] = {2.7247975260842883};
static const double onehot_mean_by_0[] = {0.04159597511162251, -0.3240520167451469, 0.2516409853638112,
    0.03081505626971321, -0.07889228707739838, -0.1651883707867003, 0.2773041928727674,
    -0.033223535008668724, 0, 0, 0, 0};
static const double onehot_mean_by_1[] = {0.693713193284019, 1.1937131932840188, 0.09371319328401902,
    0.793713193284019, 1.4394176661336027, 1.8060843328002696, 0.0060843328002695065, 2.6727509994669356,
    -0, 6666.666666666666, 3333.366666666667, 3333.0333333333333};
static const double onehot_none_value[] = {3.581139579852057, 4.593252998400809, -0};
static const double onehot_none_by_0[] = {0.062393962667433765, -0.48607802511772036, 0.37746147804571684,
    0.04622258440456982, 0.23667686123219517, 0.4955651123601009, -0.8319125786183023, 0.09967060502600618,
    0, 0, 0, 0};
static const double onehot_none_by_1[] = {1.0405697899260287, 1.7905697899260284, 0.14056978992602853,
    1.1905697899260286, -4.3182529984008085, -5.418252998400809, -0.01825299840080852, -8.018252998400808,
    -0, 30000, 15000.150000000001, 14998.650000000001};
static const double onehot_everything_mean_value[] = {921.0769399672608};
static const double onehot_everything_mean_by_0[] = {0.06653942186758718, -0.549960296807931,
    0.45295377365486017, 0.03046710128548378, -0.03624859023442604, -0.29819647902644103,
    0.39931111530477625, -0.06486604604390918, 0.05833333333333332, -0.03333333333333333, 0, -0.025};
static const double onehot_everything_mean_by_1[] = {0.2774852773136076, 1.9099411092544303, 0,
    0.952455831940823, 0.5757670664534411, 2.8897349324804313, 0, 3.207301199360323, -0,
    10666.666666666666, 0, 3999.6400000000003};
static const double onehot_everything_none_value[] = {6.318551243733703, 6.979768658048986, 2749.9325};
static const double onehot_everything_none_by_0[] = {0.09980913280138078, -0.8249404452118967,
    0.6794306604822903, 0.04570065192822567, 0.10874577070327812, 0.8945894370793231, -1.1979333459143287,
    0.19459813813172755, 0.26250000000000007, -0.15000000000000002, 0, -0.1125};
static const double onehot_everything_none_by_1[] = {0.4162279159704115, 2.864911663881646, 0,
    1.4286837479112344, -1.7273011993603236, -8.669204797441294, -0, -9.62190359808097, -0, 48000, 0,
    17998.38};
static const double nll_mean_value[] = {4.166631596520573};
static const double nll_mean_by_0[] = {-0.3333333333333333, 0, 0, 0, 0, 0, 0, -0.3333333333333333, 0,
    -0.3333333333333333, 0, 0};
static const double nll_none_value[] = {2.0811395798520573, 8.018252998400808, 2.4005022113088534};
static const double nll_none_by_0[] = {-0.5, 0, 0, 0, 0, 0, 0, 1, 0, -1.5, 0, 0};
static const double nll_everything_mean_value[] = {1.2706615534446546};
static const double nll_everything_mean_by_0[] = {-0.25, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, -0.75};
static const double nll_everything_none_value[] = {1.0405697899260287, 0, 1.5007533169632803};
static const double nll_everything_none_by_0[] = {-0.25, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, -2.25};
static const double multi_margin_mean_value[] = {3335.3833333333337};
static const double multi_margin_mean_by_0[] = {-0.16666666666666666, 0, 0.08333333333333333,
    0.08333333333333333, 0.08333333333333333, 0.08333333333333333, 0.08333333333333333, -0.25,
    0.08333333333333333, -0.25, 0.08333333333333333, 0.08333333333333333};
static const double multi_margin_none_value[] = {0.875, 4.325, 10000.95};
static const double multi_margin_none_by_0[] = {-0.25, 0, 0.125, 0.125, -0.25, -0.25, -0.25, 0.75, 0.375,
    -1.125, 0.375, 0.375};
static const double multi_margin_weighted_mean_value[] = {6669.129166666667};
static const double multi_margin_weighted_mean_by_0[] = {-0.08333333333333333, 0, 0.041666666666666664,
    0.041666666666666664, 0.125, 0.125, 0.125, -0.375, 0.16666666666666666, -0.5, 0.16666666666666666,
    0.16666666666666666};
static const double multi_margin_weighted_none_value[] = {0.31250000000000006, 5.925000000000001, 20001.15};
static const double multi_margin_weighted_none_by_0[] = {-0.125, 0, 0.0625, 0.0625, -0.375, -0.375, -0.375,
    1.125, 0.75, -2.25, 0.75, 0.75};
static const double kl_div_mean_value[] = {0.41841651389344364};
static const double kl_div_mean_by_0[] = {-0.007497999318626773, -0.020381675297621457,
    -0.055403137595077014, -8.333333333333334e-12, -0.013088313612465236, -0.013088313612465236,
    -0.021578981050465466, -0.03557772505793741, -0.00020434811646364954, -7.51754708890842e-05,
    -0.0006138956685375445, -0.08243991407744305};
static const double kl_div_mean_by_1[] = {0.056077264841470006, 0.2644105981748033, 0.07274393150813664,
    -1.6370592791740333, 0.28892700921771625, 0.380593675884383, -0.02773965744895036, 0.6805936758843828,
    -0.3425230586755918, -0.3008563920089251, -0.15918972534225853, 0.16581027465774148};
static const double kl_div_none_value[] = {-0.029428701549182756, 0.5314547542723556, -0.08448279643741416,
    -2.0644711350088403e-09, 0.3874859289668643, 0.5602516686514054, -0.3451452427165572,
    3.059879652761869, -0.01253130502910824, -0.004158956665922719, -0.021439275154764854, 0.979112441686251};
static const double kl_div_none_by_0[] = {-0.04498799591176064, 0.2445801035714575, -0.9972564767113863,
    2e-10, -0.39264940837395707, 0.4711792900487485, -0.9063172041195496, 1.7077308027809956,
    -0.011034798289037076, 0.004510528253345052, -0.040517114123477936, 5.9356738135758995};
static const double kl_div_none_by_1[] = {0.3364635890488201, -3.1729271780976394, 1.3093907671464597,
    39.2894227001768, 8.667810276531489, -13.701372331837788, -1.1650656128559147, -32.668496442450376,
    -18.49624516848196, 18.051383520535513, -10.506521872589062, -11.938339775357386};
static const double kl_div_log_mean_value[] = {0.41816254070610404};
static const double kl_div_log_mean_by_0[] = {-0.007497999318626773, -0.020381675297621457,
    -0.055403137595077014, -5.052112200808614e-05, -0.013088313612465236, -0.013088313612465236,
    -0.021578981050465466, -0.03557772505793741, -0.00020434811646364952, -7.517547088908419e-05,
    -0.0006138956685375444, -0.08243991407744305};
static const double kl_div_log_mean_by_1[] = {0.0050456075228615446, 0.0646695714869844,
    0.04836290455862584, -0.00020345223737077691, 0.04537880769303726, 0.059775952666749024,
    -0.007183122509247634, 0.2905676961214265, -0.0008399273026287036, -0.0002714042512711423,
    -0.0011727105943595264, 0.1640326175512973};
static const double kl_div_log_none_value[] = {-0.029428701549182753, 0.5314547542723556,
    -0.08448279643741413, -0.0030476803125463565, 0.3874859289668643, 0.5602516686514054,
    -0.3451452427165572, 3.059879652761869, -0.012531305029108238, -0.004158956665922718,
    -0.021439275154764847, 0.979112441686251};
static const double kl_div_log_none_by_0[] = {-0.04498799591176064, 0.2445801035714575,
    -0.9972564767113863, 0.0012125069281940675, -0.39264940837395707, 0.4711792900487485,
    -0.9063172041195496, 1.7077308027809956, -0.011034798289037074, 0.004510528253345052,
    -0.04051711412347793, 5.9356738135758995};
static const double kl_div_log_none_by_1[] = {0.030273645137169264, -0.7760348578438131,
    0.8705322820552651, 0.004882853696898646, 1.3613642307911176, -2.151934296002965, -0.3016911453884007,
    -13.947249413828471, -0.04535607434194999, 0.016284255076268534, -0.07739889922772875,
    -11.810348463693405};
static const double cosine_mean_value[] = {-0.17333333333333334};
static const double cosine_mean_by_0[] = {-0.05226666666666666, 0.0021333333333333343,
    -0.08106666666666666, -0.06613333333333332, -13333333.333333332, 13333333.333333332,
    -6666666.666666666, -26666666.666666664, -1.6543612251060553e-24, 6.776263578034403e-21,
    1.6543612251060553e-24, 0};
static const double cosine_mean_by_1[] = {-0.06613333333333332, -0.08106666666666666,
    0.0021333333333333343, -0.05226666666666666, 0, -0, 0, 0, -1.6543612251060553e-24,
    6.776263578034403e-21, 1.6543612251060553e-24, 0};
static const double cosine_none_value[] = {0.48000000000000004, -0, -1};
static const double cosine_none_by_0[] = {-0.0784, 0.0031999999999999945, -0.1216, -0.09920000000000001,
    40000000, -40000000, 20000000, 80000000, -1.3234889800848443e-23, 2.710505431213761e-20,
    1.3234889800848443e-23, 4.1359030627651384e-25};
static const double cosine_none_by_1[] = {-0.09920000000000001, -0.1216, 0.0031999999999999945, -0.0784, 0,
    0, 0, 0, -1.3234889800848443e-23, 2.710505431213761e-20, 1.3234889800848443e-23, 4.1359030627651384e-25};
static const double triplet_margin_mean_value[] = {1.7754723651538755};
static const double triplet_margin_mean_by_0[] = {0.33504548245679455, 0.08434703674190086,
    -0.23249534813735764, -0.07578632608833857, 0.0027492379889766105, 0.26941601132228854,
    -0.33883235914101406, -0.26666691216545224, 0, 0, 0, 0};
static const double triplet_margin_mean_by_1[] = {-0.03874929041302806, -0.23249535498603924,
    0.23249519998918755, 0.0387491354161764, 0.1333332533332693, -0.13333352000004262, 0.06666655999994132,
    0.2666666399999253, -0, -0, -0, -0};
static const double triplet_margin_mean_by_2[] = {-0.2962961920437665, 0.14814831824413838,
    1.481481700959683e-07, 0.037037190672162164, -0.13608249132224592, -0.13608249132224592,
    0.27216579914107275, 2.7216552697554574e-07, -0, 0, 0, -0};
static const double triplet_margin_none_value[] = {3.051162966854248, 2.2752541286073784, 0};
static const double triplet_margin_none_by_0[] = {0.5025682236851918, 0.1265205551128513,
    -0.3487430222060365, -0.11367948913250786, -0.008247713966929804, -0.8082480339668656,
    1.0164970774230422, 0.8000007364963568, 0, 0, 0, 0};
static const double triplet_margin_none_by_1[] = {-0.0581239356195421, -0.34874303247905886,
    0.3487427999837813, 0.05812370312426461, -0.39999975999980797, 0.4000005600001279, -0.199999679999824,
    -0.7999999199997759, -0, -0, -0, -0};
static const double triplet_margin_none_by_2[] = {-0.4444442880656498, 0.22222247736620757,
    2.2222225514395244e-07, 0.05555578600824325, 0.4082474739667378, 0.4082474739667378,
    -0.8164973974232183, -8.164965809266373e-07, -0, 0, 0, -0};
static const double triplet_margin_wide_mean_value[] = {19997.663842146667};
static const double triplet_margin_wide_mean_by_0[] = {0.33504548245679455, 0.08434703674190086,
    -0.23249534813735764, -0.07578632608833857, 0.0027492379889766105, 0.26941601132228854,
    -0.33883235914101406, -0.26666691216545224, 0.3279326216112361, 0.1666666344134692,
    -0.12361214254251116, 0.19569451210906724};
static const double triplet_margin_wide_mean_by_1[] = {-0.03874929041302806, -0.23249535498603924,
    0.23249519998918755, 0.0387491354161764, 0.1333332533332693, -0.13333352000004262, 0.06666655999994132,
    0.2666666399999253, -0.16666666666666666, -0.16666666666666666, -0.16666666666666666,
    -0.16666666666666666};
static const double triplet_margin_wide_mean_by_2[] = {-0.2962961920437665, 0.14814831824413838,
    1.481481700959683e-07, 0.037037190672162164, -0.13608249132224592, -0.13608249132224592,
    0.27216579914107275, 2.7216552697554574e-07, -0.16126595494456944, 3.225319743955337e-08,
    0.2902788092091778, -0.0290278454424006};
static const double triplet_margin_wide_none_value[] = {20002.051162966854, 20001.275254128606,
    19989.665109344536};
static const double triplet_margin_wide_none_by_0[] = {0.5025682236851918, 0.1265205551128513,
    -0.3487430222060365, -0.11367948913250786, -0.008247713966929804, -0.8082480339668656,
    1.0164970774230422, 0.8000007364963568, 1.4756967972505626, 0.7499998548606115, -0.5562546414413001,
    0.8806253044908027};
static const double triplet_margin_wide_none_by_1[] = {-0.0581239356195421, -0.34874303247905886,
    0.3487427999837813, 0.05812370312426461, -0.39999975999980797, 0.4000005600001279, -0.199999679999824,
    -0.7999999199997759, -0.75, -0.75, -0.75, -0.75};
static const double triplet_margin_wide_none_by_2[] = {-0.4444442880656498, 0.22222247736620757,
    2.2222225514395244e-07, 0.05555578600824325, 0.4082474739667378, 0.4082474739667378,
    -0.8164973974232183, -8.164965809266373e-07, -0.7256967972505626, 1.4513938847799019e-07,
    1.3062546414413, -0.1306253044908027};

static const loss_reference losses[] = {
    {"mse, mean", {.two = gr_mse_with}, {.reduction = GR_REDUCE_MEAN},
     {loss_y, loss_t}, NULL, REFERENCE2(mse_mean)},
    {"mse, none", {.two = gr_mse_with}, {.reduction = GR_REDUCE_NONE},
     {loss_y, loss_t}, NULL, REFERENCE2(mse_none)},
    {"l1_loss, mean", {.two = gr_l1_loss_with}, {.reduction = GR_REDUCE_MEAN},
     {loss_y, loss_t}, NULL, REFERENCE2(l1_loss_mean)},
    {"l1_loss, none", {.two = gr_l1_loss_with}, {.reduction = GR_REDUCE_NONE},
     {loss_y, loss_t}, NULL, REFERENCE2(l1_loss_none)},
    {"huber_1, mean", {.two = gr_huber_with}, {.reduction = GR_REDUCE_MEAN, .delta = 1},
     {loss_y, loss_t}, NULL, REFERENCE2(huber_1_mean)},
    {"huber_1, none", {.two = gr_huber_with}, {.reduction = GR_REDUCE_NONE, .delta = 1},
     {loss_y, loss_t}, NULL, REFERENCE2(huber_1_none)},
    {"huber_0_25, mean", {.two = gr_huber_with}, {.reduction = GR_REDUCE_MEAN, .delta = 0.25},
     {loss_y, loss_t}, NULL, REFERENCE2(huber_0_25_mean)},
    {"huber_0_25, none", {.two = gr_huber_with}, {.reduction = GR_REDUCE_NONE, .delta = 0.25},
     {loss_y, loss_t}, NULL, REFERENCE2(huber_0_25_none)},
    {"smooth_l1_1, mean", {.two = gr_smooth_l1_loss_with}, {.reduction = GR_REDUCE_MEAN, .beta = 1},
     {loss_y, loss_t}, NULL, REFERENCE2(smooth_l1_1_mean)},
    {"smooth_l1_1, none", {.two = gr_smooth_l1_loss_with}, {.reduction = GR_REDUCE_NONE, .beta = 1},
     {loss_y, loss_t}, NULL, REFERENCE2(smooth_l1_1_none)},
    {"smooth_l1_0_25, mean", {.two = gr_smooth_l1_loss_with}, {.reduction = GR_REDUCE_MEAN, .beta = 0.25},
     {loss_y, loss_t}, NULL, REFERENCE2(smooth_l1_0_25_mean)},
    {"smooth_l1_0_25, none", {.two = gr_smooth_l1_loss_with}, {.reduction = GR_REDUCE_NONE, .beta = 0.25},
     {loss_y, loss_t}, NULL, REFERENCE2(smooth_l1_0_25_none)},
    {"log_cosh, mean", {.two = gr_log_cosh_loss_with}, {.reduction = GR_REDUCE_MEAN},
     {loss_y, loss_t}, NULL, REFERENCE2(log_cosh_mean)},
    {"log_cosh, none", {.two = gr_log_cosh_loss_with}, {.reduction = GR_REDUCE_NONE},
     {loss_y, loss_t}, NULL, REFERENCE2(log_cosh_none)},
    {"bce, mean", {.two = gr_bce_with}, {.reduction = GR_REDUCE_MEAN},
     {loss_p, loss_pt}, NULL, REFERENCE2(bce_mean)},
    {"bce, none", {.two = gr_bce_with}, {.reduction = GR_REDUCE_NONE},
     {loss_p, loss_pt}, NULL, REFERENCE2(bce_none)},
    {"bce_with_logits, mean", {.two = gr_bce_with_logits_with}, {.reduction = GR_REDUCE_MEAN},
     {loss_logits, loss_pt}, NULL, REFERENCE2(bce_with_logits_mean)},
    {"bce_with_logits, none", {.two = gr_bce_with_logits_with}, {.reduction = GR_REDUCE_NONE},
     {loss_logits, loss_pt}, NULL, REFERENCE2(bce_with_logits_none)},
    {"bce_with_logits_weighted, mean", {.two = gr_bce_with_logits_with}, {.reduction = GR_REDUCE_MEAN, .positive_weight = POSITIVE_WEIGHT},
     {loss_logits, loss_pt}, NULL, REFERENCE2(bce_with_logits_weighted_mean)},
    {"bce_with_logits_weighted, none", {.two = gr_bce_with_logits_with}, {.reduction = GR_REDUCE_NONE, .positive_weight = POSITIVE_WEIGHT},
     {loss_logits, loss_pt}, NULL, REFERENCE2(bce_with_logits_weighted_none)},
    {"hinge, mean", {.two = gr_hinge_with}, {.reduction = GR_REDUCE_MEAN},
     {loss_y, loss_signs}, NULL, REFERENCE2(hinge_mean)},
    {"hinge, none", {.two = gr_hinge_with}, {.reduction = GR_REDUCE_NONE},
     {loss_y, loss_signs}, NULL, REFERENCE2(hinge_none)},
    {"cross_entropy, mean", {.two = gr_softmax_cross_entropy_with}, {.reduction = GR_REDUCE_MEAN},
     {loss_scores}, loss_labels, REFERENCE1(cross_entropy_mean)},
    {"cross_entropy, none", {.two = gr_softmax_cross_entropy_with}, {.reduction = GR_REDUCE_NONE},
     {loss_scores}, loss_labels, REFERENCE1(cross_entropy_none)},
    {"cross_entropy_smoothed, mean", {.two = gr_softmax_cross_entropy_with}, {.reduction = GR_REDUCE_MEAN, .label_smoothing = 0.1},
     {loss_scores}, loss_labels, REFERENCE1(cross_entropy_smoothed_mean)},
    {"cross_entropy_smoothed, none", {.two = gr_softmax_cross_entropy_with}, {.reduction = GR_REDUCE_NONE, .label_smoothing = 0.1},
     {loss_scores}, loss_labels, REFERENCE1(cross_entropy_smoothed_none)},
    {"cross_entropy_weighted, mean", {.two = gr_softmax_cross_entropy_with}, {.reduction = GR_REDUCE_MEAN, .class_weights = CLASS_WEIGHTS},
     {loss_scores}, loss_labels, REFERENCE1(cross_entropy_weighted_mean)},
    {"cross_entropy_weighted, none", {.two = gr_softmax_cross_entropy_with}, {.reduction = GR_REDUCE_NONE, .class_weights = CLASS_WEIGHTS},
     {loss_scores}, loss_labels, REFERENCE1(cross_entropy_weighted_none)},
    {"cross_entropy_ignoring, mean", {.two = gr_softmax_cross_entropy_with}, {.reduction = GR_REDUCE_MEAN, .ignore = true, .ignore_index = -100},
     {loss_scores}, loss_ignoring, REFERENCE1(cross_entropy_ignoring_mean)},
    {"cross_entropy_ignoring, none", {.two = gr_softmax_cross_entropy_with}, {.reduction = GR_REDUCE_NONE, .ignore = true, .ignore_index = -100},
     {loss_scores}, loss_ignoring, REFERENCE1(cross_entropy_ignoring_none)},
    {"cross_entropy_everything, mean", {.two = gr_softmax_cross_entropy_with}, {.reduction = GR_REDUCE_MEAN, .label_smoothing = 0.3, .ignore = true, .ignore_index = -100, .class_weights = CLASS_WEIGHTS},
     {loss_scores}, loss_ignoring, REFERENCE1(cross_entropy_everything_mean)},
    {"cross_entropy_everything, none", {.two = gr_softmax_cross_entropy_with}, {.reduction = GR_REDUCE_NONE, .label_smoothing = 0.3, .ignore = true, .ignore_index = -100, .class_weights = CLASS_WEIGHTS},
     {loss_scores}, loss_ignoring, REFERENCE1(cross_entropy_everything_none)},
    {"onehot, mean", {.two = gr_softmax_cross_entropy_onehot_with}, {.reduction = GR_REDUCE_MEAN},
     {loss_scores, loss_onehot}, NULL, REFERENCE2(onehot_mean)},
    {"onehot, none", {.two = gr_softmax_cross_entropy_onehot_with}, {.reduction = GR_REDUCE_NONE},
     {loss_scores, loss_onehot}, NULL, REFERENCE2(onehot_none)},
    {"onehot_everything, mean", {.two = gr_softmax_cross_entropy_onehot_with}, {.reduction = GR_REDUCE_MEAN, .label_smoothing = 0.2, .class_weights = CLASS_WEIGHTS},
     {loss_scores, loss_onehot}, NULL, REFERENCE2(onehot_everything_mean)},
    {"onehot_everything, none", {.two = gr_softmax_cross_entropy_onehot_with}, {.reduction = GR_REDUCE_NONE, .label_smoothing = 0.2, .class_weights = CLASS_WEIGHTS},
     {loss_scores, loss_onehot}, NULL, REFERENCE2(onehot_everything_none)},
    {"nll, mean", {.two = gr_nll_with}, {.reduction = GR_REDUCE_MEAN},
     {loss_log_p}, loss_labels, REFERENCE1(nll_mean)},
    {"nll, none", {.two = gr_nll_with}, {.reduction = GR_REDUCE_NONE},
     {loss_log_p}, loss_labels, REFERENCE1(nll_none)},
    {"nll_everything, mean", {.two = gr_nll_with}, {.reduction = GR_REDUCE_MEAN, .ignore = true, .ignore_index = -100, .class_weights = CLASS_WEIGHTS},
     {loss_log_p}, loss_ignoring, REFERENCE1(nll_everything_mean)},
    {"nll_everything, none", {.two = gr_nll_with}, {.reduction = GR_REDUCE_NONE, .ignore = true, .ignore_index = -100, .class_weights = CLASS_WEIGHTS},
     {loss_log_p}, loss_ignoring, REFERENCE1(nll_everything_none)},
    {"multi_margin, mean", {.two = gr_multi_margin_with}, {.reduction = GR_REDUCE_MEAN},
     {loss_scores}, loss_labels, REFERENCE1(multi_margin_mean)},
    {"multi_margin, none", {.two = gr_multi_margin_with}, {.reduction = GR_REDUCE_NONE},
     {loss_scores}, loss_labels, REFERENCE1(multi_margin_none)},
    {"multi_margin_weighted, mean", {.two = gr_multi_margin_with}, {.reduction = GR_REDUCE_MEAN, .margin = 0.5, .class_weights = CLASS_WEIGHTS},
     {loss_scores}, loss_labels, REFERENCE1(multi_margin_weighted_mean)},
    {"multi_margin_weighted, none", {.two = gr_multi_margin_with}, {.reduction = GR_REDUCE_NONE, .margin = 0.5, .class_weights = CLASS_WEIGHTS},
     {loss_scores}, loss_labels, REFERENCE1(multi_margin_weighted_none)},
    {"kl_div, mean", {.two = gr_kl_div_with}, {.reduction = GR_REDUCE_MEAN},
     {loss_log_p, loss_q}, NULL, REFERENCE2(kl_div_mean)},
    {"kl_div, none", {.two = gr_kl_div_with}, {.reduction = GR_REDUCE_NONE},
     {loss_log_p, loss_q}, NULL, REFERENCE2(kl_div_none)},
    {"kl_div_log, mean", {.two = gr_kl_div_with}, {.reduction = GR_REDUCE_MEAN, .log_target = true},
     {loss_log_p, loss_log_q}, NULL, REFERENCE2(kl_div_log_mean)},
    {"kl_div_log, none", {.two = gr_kl_div_with}, {.reduction = GR_REDUCE_NONE, .log_target = true},
     {loss_log_p, loss_log_q}, NULL, REFERENCE2(kl_div_log_none)},
    {"cosine, mean", {.two = gr_cosine_loss_with}, {.reduction = GR_REDUCE_MEAN},
     {loss_a, loss_b}, NULL, REFERENCE2(cosine_mean)},
    {"cosine, none", {.two = gr_cosine_loss_with}, {.reduction = GR_REDUCE_NONE},
     {loss_a, loss_b}, NULL, REFERENCE2(cosine_none)},
    {"triplet_margin, mean", {.three = gr_triplet_margin_with}, {.reduction = GR_REDUCE_MEAN},
     {loss_a, loss_b, loss_n}, NULL, REFERENCE3(triplet_margin_mean)},
    {"triplet_margin, none", {.three = gr_triplet_margin_with}, {.reduction = GR_REDUCE_NONE},
     {loss_a, loss_b, loss_n}, NULL, REFERENCE3(triplet_margin_none)},
    {"triplet_margin_wide, mean", {.three = gr_triplet_margin_with}, {.reduction = GR_REDUCE_MEAN, .margin = 20000},
     {loss_a, loss_b, loss_n}, NULL, REFERENCE3(triplet_margin_wide_mean)},
    {"triplet_margin_wide, none", {.three = gr_triplet_margin_with}, {.reduction = GR_REDUCE_NONE, .margin = 20000},
     {loss_a, loss_b, loss_n}, NULL, REFERENCE3(triplet_margin_wide_none)},
};
/* clang-format on */

#endif
