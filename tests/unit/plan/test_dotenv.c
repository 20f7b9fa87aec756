/* Files of variables: the form of a line, quotes, ${NAME}, and where what is wrong is said to be. */
#include "../unit.h"
#include "plan.h"

#include <sys/stat.h>

static void add_env(struct buf *out, const struct plan_env *env)
{
    for (size_t i = 0; i < env->count; i++)
        buf_add_format(out, "%s%s=%s", i ? "|" : "", env->items[i].name,
                       env->items[i].value.raw ? env->items[i].value.raw : "(out)");
}

/* NAME=VALUE|NAME=VALUE of the manifest's and, behind " / ", of the first worker's files; or the problems. */
static char *load(const char *manifest)
{
    struct plan_problems problems = {0};
    AUTO_FREE char *text = mem_format("version: 1\n%s", manifest);
    struct plan *plan = plan_parse(str_of(text), "zproc.yaml", ".", NULL, &problems);
    struct buf out = {0};
    buf_add_text(&out, "");
    for (size_t i = 0; i < problems.count; i++) {
        const struct plan_problem *problem = &problems.items[i];
        buf_add_format(&out, "%s:%zu:%zu: %s\n", problem->file, problem->line, problem->column,
                       problem->message);
    }
    if (plan) {
        add_env(&out, &plan->file_env);
        buf_add_text(&out, plan->workers[0].file_env.count ? " / " : "");
        add_env(&out, &plan->workers[0].file_env);
    }
    plan_free(plan);
    plan_problems_release(&problems);
    return buf_detach(&out);
}

static void assert_text(struct str text, const char *wanted)
{
    file_write("x.env", text);
    AUTO_FREE char *got = load("env_file: x.env\nworkers: {w: {run: w}}\n");
    assert_string_equal(got, wanted);
}

#define ASSERT_FILE(text, wanted) assert_text(STR(text), wanted)

static void test_lines(void **state)
{
    (void)state;
    ASSERT_FILE("", "");
    ASSERT_FILE("A=1", "A=1");
    ASSERT_FILE("\xef\xbb\xbf"
                "A=1\r\nB=2\r\n\r\n",
                "A=1|B=2");
    ASSERT_FILE("# c\n  # d\n\n A = x y  \nB= \nC=\n", "A=x y|B=|C=");
    ASSERT_FILE("export A=1\nexport\tB=2\nexport=3\n", "A=1|B=2|export=3");
    ASSERT_FILE("A: yaml\nB:x\nC=a=b:c\n", "A=yaml|B=x|C=a=b:c");
    ASSERT_FILE("a.b-c_1=x\n", "a.b-c_1=x");
    ASSERT_FILE("A=b#c\nB=b #c\nC=#c\nD= #c\n", "A=b#c|B=b|C=#c|D=");
    ASSERT_FILE("A=\\n\\t'\"\n", "A=\\n\\t'\"");
    ASSERT_FILE("A=1\nA=2\n", "A=1|A=2");
}

static void test_quotes(void **state)
{
    (void)state;
    ASSERT_FILE("A='x $B \\n ${C'\n", "A=x $B \\n ${C");
    ASSERT_FILE("A='Let\\'s'\n", "A=Let's");
    ASSERT_FILE("A=\"a\\nb\\t\\\"c\\\" \\\\ \\$D \\q\"\n", "A=a\nb\t\"c\" \\ $D \\q");
    ASSERT_FILE("A=\"one\ntwo # no comment\n\" # a comment\nB='x\ny'\n", "A=one\ntwo # no comment\n|B=x\ny");
    ASSERT_FILE("A=\"\"\nB=''\n", "A=|B=");
}

static void test_expansion(void **state)
{
    (void)state;
    assert_int_equal(setenv("ZPROC_TEST_OUT", "out", 1) + unsetenv("ZPROC_TEST_NONE"), 0);
    ASSERT_FILE("A=1\nB=$A-${A}x\nC=\"$A\"\n", "A=1|B=1-1x|C=1");
    ASSERT_FILE("A=$ZPROC_TEST_OUT\nZPROC_TEST_OUT=in\nB=$ZPROC_TEST_OUT\n", "A=out|ZPROC_TEST_OUT=in|B=in");
    ASSERT_FILE("A=[$ZPROC_TEST_NONE]\nB=$ 5$\nC=$$A\nD=$1\n", "A=[]|B=$ 5$|C=$A|D=$1");
    ASSERT_FILE("E=\nA=${E:-x}\nB=${E-x}\nC=${N-x y}\nD=${E:+z}${E+z}\n", "E=|A=x|B=|C=x y|D=z");
    ASSERT_FILE("A=${N:-${M:-deep}}\nB=${A:?no}\n", "A=deep|B=deep");
    ASSERT_FILE("A=`id` $(id)\n", "A=`id` $(id)");
    ASSERT_FILE("ZPROC_TEST_OUT\nexport ZPROC_TEST_NONE\n", "ZPROC_TEST_OUT=out");
}

static void test_problems(void **state)
{
    (void)state;
    ASSERT_FILE("A=1\nB 2\n", "x.env:2:3: a '=' is missing behind the name 'B'\n");
    ASSERT_FILE("=1\n1A=2\n",
                "x.env:1:1: a line is NAME=VALUE, and a name has letters, digits and _, first no digit\n"
                "x.env:2:1: a line is NAME=VALUE, and a name has letters, digits and _, first no digit\n");
    ASSERT_FILE("A=\"x\nB=2\n", "x.env:1:3: the text in quotes is not closed\n");
    ASSERT_FILE("A='x' y\n", "x.env:1:7: only a comment can stand behind the closing quote\n");
    ASSERT_FILE("A=x${B\n",
                "x.env:1:4: '${' is followed by a name and '}', or ':-', ':+', ':?' and a text before "
                "the '}'\n");
    ASSERT_FILE("A=${B:-x\n", "x.env:1:3: '${' is not closed; expected '}'\n");
    ASSERT_FILE("A=${}\n", "x.env:1:3: '${' is followed by the name of a variable\n");
    ASSERT_FILE("A=${B:?set it}\n", "x.env:1:3: 'B' is not set: set it\n");
    ASSERT_FILE("A=\0\n", "x.env:1:3: a file of variables cannot hold a NUL character\n");
}

/* Every line doubles the one before. */
static void test_growth(void **state)
{
    (void)state;
    AUTO_BUF struct buf text = {0};
    buf_add_text(&text, "A0=xxxxxxxxxxxxxxxx\n");
    for (int i = 1; i < 40; i++)
        buf_add_format(&text, "A%d=$A%d$A%d\n", i, i - 1, i - 1);
    file_write("x.env", buf_str(&text));
    AUTO_FREE char *got = load("env_file: x.env\nworkers: {w: {run: w}}\n");
    assert_non_null(strstr(got, "the value is longer than 128 KiB\n"));
}

static void test_forms(void **state)
{
    (void)state;
    file_write("a.env", STR("A=1\n"));
    file_write("b.env", STR("B=2\n"));
    AUTO_FREE char *list =
        load("env_file: [a.env, {file: b.env}, {file: c.env, required: false}]\n"
             "defaults: {env_file: b.env}\nworkers: {w: {run: w, env_file: {file: a.env}}}\n");
    assert_string_equal(list, "A=1|B=2 / A=1");
    AUTO_FREE char *under = load("defaults: {env_file: b.env}\nworkers: {w: {run: w}}\n");
    assert_string_equal(under, " / B=2");
    AUTO_FREE char *none = load("defaults: {env_file: b.env}\nworkers: {w: {run: w, env_file: null}}\n");
    assert_string_equal(none, "");
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_lines, folder_enter, folder_leave),
        cmocka_unit_test_setup_teardown(test_quotes, folder_enter, folder_leave),
        cmocka_unit_test_setup_teardown(test_expansion, folder_enter, folder_leave),
        cmocka_unit_test_setup_teardown(test_problems, folder_enter, folder_leave),
        cmocka_unit_test_setup_teardown(test_growth, folder_enter, folder_leave),
        cmocka_unit_test_setup_teardown(test_forms, folder_enter, folder_leave),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
