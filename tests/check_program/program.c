/* A program made by GR_CHECK_MAIN of results that nothing computes: options.cmake looks at what it makes of them. */
#include "gradus/check_test.h"

static gr_status good(gr_check_result *result)
{
    result->passed = true;
    result->order = 1;
    result->elements = 3;
    result->evaluations = 9;
    result->n_worst = 1; /* which is not written for a check that passed */
    result->worst_elements[0].order = 1;
    strcpy(result->name, "another name");
    return GR_OK;
}

static gr_status wrong(gr_check_result *result)
{
    result->order = 1;
    result->elements = 3;
    result->failed = result->wrong = 1;
    result->verdict = GR_CHECK_WRONG;
    result->n_worst = 1;
    result->worst.verdict = GR_CHECK_WRONG;
    result->worst.order = 1;
    result->worst.analytic = 2;
    result->worst.numeric = 1;
    result->worst_elements[0] = result->worst;
    return GR_OK;
}

static gr_status unfilled(gr_check_result *result)
{
    (void)result;
    return GR_OK;
}

static gr_status refused(gr_check_result *result)
{
    result->passed = true; /* and yet an error comes back */
    return GR_ERR_SHAPE;
}

/* The expression for other test suites: 0 if it judges right. Its reports go to stderr. */
static gr_status expression(gr_check_result *result)
{
    gr_check_result other;
    memset(&other, 0, sizeof other);
    wrong(&other);
    const gr_check_result *pointer = &other;
    bool right = !GR_CHECK_PASSED(pointer++) && pointer == &other + 1; /* evaluated once */
    right = right && !GR_CHECK_PASSED(NULL);
    good(&other);
    right = right && GR_CHECK_PASSED(&other);
    good(result);
    return right ? GR_OK : GR_ERR_STATE;
}

GR_CHECK_MAIN({"good", good}, {"good too", good}, {"wrong", wrong}, {"unfilled", unfilled},
              {"refused", refused}, {"expression", expression}, {"--tap", good},
              {"a name of more than sixty-three bytes, which is what a result has room for", good})
