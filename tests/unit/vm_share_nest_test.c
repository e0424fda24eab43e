/* hostd VM: shares whose targets lie in each other. The guest is asked for the outer one first and
 * unmounts the inner one first, and none hides another. */
#include "vm_support.h"

#include "vm/share.h"
#include "vm/vm_parts.h"

#include <errno.h>
#include <string.h>

#define POOL UINT64_C(67108864)

#define SHARE(tag, path, target)                                                                   \
    "{\"tag\": \"" tag "\", \"path\": \"" path "\", \"target\": \"" target "\"}"
#define SHARES(shares) "\"shares\": [" shares "]"

#define OUTER  SHARE("outer", "/usr", "/mnt/n")
#define MIDDLE SHARE("middle", "/var", "/mnt/n/m")
#define INNER  SHARE("inner", "/etc", "/mnt/n/m/i")
#define ASIDE  SHARE("aside", "/opt", "/mnt/nn")

/* The configuration is read again. */
static void change(struct fixture *f, const char *shares)
{
    struct settings *next = configure(f, shares);

    f->mounts[0] = '\0';
    vm_change(f->vm, next, &next->config->vms[0]);
    (void)settings_unref(f->settings);
    f->settings = next;
    f->services.config = next->config;
    settle(f);
}

/* And again, without a change. */
static void again(struct fixture *f)
{
    f->mounts[0] = '\0';
    vm_rebase(f->vm, f->settings, &f->settings->config->vms[0]);
    settle(f);
}

static void serve(struct fixture *f, const char *shares)
{
    change(f, shares);
    connect_guest(f, POOL);
}

static struct vm_share_view view_of(struct fixture *f, const char *tag)
{
    struct vm_share_view share;
    struct vm_view view;

    vm_get_view(f->vm, &view);
    for (size_t i = 0; i < view.share_count; i++) {
        vm_get_share(f->vm, i, &share);
        if (strcmp(share.tag, tag) == 0)
            return share;
    }
    fail_msg("no share %s", tag);
    return share;
}

/* That many shares, all mounted, and nothing wrong with any. */
static void assert_all_in_use(struct fixture *f, size_t count)
{
    struct vm_share_view share;
    struct vm_view view;

    vm_get_view(f->vm, &view);
    assert_int_equal(view.share_count, count);
    for (size_t i = 0; i < count; i++) {
        vm_get_share(f->vm, i, &share);
        assert_int_equal(share.state, VM_DEVICE_IN_USE);
        assert_string_equal(share.error, "");
    }
}

static void assert_mounted_in_order(struct fixture *f, const char *outer, const char *inner)
{
    const char *first = strstr(f->mounts, outer);

    assert_non_null(first);
    assert_non_null(strstr(first, inner));
}

static void the_outer_one_is_mounted_first_whatever_the_order(void **state)
{
    static const char *const orders[] = {
        SHARES(OUTER ", " MIDDLE ", " INNER), SHARES(OUTER ", " INNER ", " MIDDLE),
        SHARES(MIDDLE ", " OUTER ", " INNER), SHARES(MIDDLE ", " INNER ", " OUTER),
        SHARES(INNER ", " OUTER ", " MIDDLE), SHARES(INNER ", " MIDDLE ", " OUTER)};
    struct fixture *f = *state;

    for (size_t i = 0; i < sizeof(orders) / sizeof(orders[0]); i++) {
        f->boot++;
        serve(f, orders[i]);
        assert_string_equal(f->mounts, "+/mnt/n +/mnt/n/m +/mnt/n/m/i ");
        assert_all_in_use(f, 3);
    }
}

static void those_beside_each_other_do_not_wait(void **state)
{
    struct fixture *f = *state;

    serve(f, SHARES(ASIDE ", " OUTER));
    assert_string_equal(f->mounts, "+/mnt/nn +/mnt/n ");
}

static void paths_are_compared_without_slashes_that_say_nothing(void **state)
{
    struct config_share twin = {
        .tag = (char *)"twin", .path = (char *)"/usr", .target = (char *)"//mnt//n/"};
    struct fixture *f = *state;

    serve(f, SHARES(SHARE("inner", "/etc//", "//mnt///n//m//") ", " SHARE("outer", "/usr/",
                                                                          "/mnt/n/")));
    assert_string_equal(f->mounts, "+/mnt/n +/mnt/n/m ");
    assert_string_equal(view_of(f, "inner").path, "/etc");
    assert_int_equal(vm_add_share(f->vm, &twin, note_done, f), -EBUSY);
    /* the same, written otherwise: nothing changes */
    change(f, SHARES(OUTER ", " SHARE("inner", "/etc", "/mnt/n/m")));
    assert_string_equal(f->mounts, "");
}

static void those_below_a_lost_one_are_lost_and_come_again_after_it(void **state)
{
    struct fixture *f = *state;

    serve(f, SHARES(INNER ", " ASIDE ", " MIDDLE ", " OUTER));
    f->mounts[0] = '\0';
    shares_lost(f->vm, "middle", false, "it was killed");
    assert_int_not_equal(view_of(f, "inner").state, VM_DEVICE_IN_USE);
    assert_string_not_equal(view_of(f, "inner").error, "");
    assert_string_not_equal(view_of(f, "middle").error, "");
    assert_int_equal(view_of(f, "outer").state, VM_DEVICE_IN_USE);
    settle(f);
    assert_string_equal(f->mounts, "!/mnt/n/m +/mnt/n/m !/mnt/n/m/i +/mnt/n/m/i ");
    assert_all_in_use(f, 4);

    f->mounts[0] = '\0';
    shares_lost(f->vm, "outer", false, "it was killed");
    shares_lost(f->vm, "inner", false, "it was killed"); /* at the same time */
    settle(f);
    assert_mounted_in_order(f, "+/mnt/n ", "+/mnt/n/m ");
    assert_mounted_in_order(f, "+/mnt/n/m ", "+/mnt/n/m/i ");
    assert_all_in_use(f, 4);
}

static void a_mount_that_is_under_way_below_a_lost_one_counts_for_nothing(void **state)
{
    struct config_share inner = {
        .tag = (char *)"inner", .path = (char *)"/etc", .target = (char *)"/mnt/n/m/i"};
    struct fixture *f = *state;

    serve(f, SHARES(OUTER));
    f->mounts[0] = '\0';
    assert_int_equal(vm_add_share(f->vm, &inner, note_done, f), 0);
    run(f); /* the guest is asked, and does not answer yet */
    shares_lost(f->vm, "outer", false, "it was killed");
    settle(f);
    assert_string_equal(f->mounts, "+/mnt/n/m/i !/mnt/n !/mnt/n/m/i +/mnt/n +/mnt/n/m/i ");
    assert_all_in_use(f, 2);
    assert_int_equal(f->error, 0);
}

static void one_that_cannot_be_mounted_does_not_keep_those_below_it(void **state)
{
    struct fixture *f = *state;

    serve(f, SHARES(INNER ", " SHARE("outer", "/nonexistent/folder", "/mnt/n")));
    assert_string_equal(f->mounts, "+/mnt/n/m/i ");
    assert_int_equal(view_of(f, "outer").state, VM_DEVICE_FAILED);
    /* it can now: what is below goes out of its way */
    change(f, SHARES(INNER ", " OUTER));
    assert_string_equal(f->mounts, "-/mnt/n/m/i +/mnt/n +/mnt/n/m/i ");
    assert_all_in_use(f, 2);
}

static void one_that_is_added_above_a_mounted_one_is_refused(void **state)
{
    struct config_share outer = {
        .tag = (char *)"outer", .path = (char *)"/usr", .target = (char *)"/mnt/n/"};
    struct fixture *f = *state;

    serve(f, SHARES(INNER ", " ASIDE));
    f->mounts[0] = '\0';
    assert_int_equal(vm_add_share(f->vm, &outer, note_done, f), 0);
    settle(f);
    assert_int_equal(f->done, 1);
    assert_int_equal(f->error, EBUSY);
    assert_string_equal(f->mounts, "");
    assert_all_in_use(f, 2);
}

static void a_reload_that_adds_one_above_takes_them_in_order(void **state)
{
    struct fixture *f = *state;

    serve(f, SHARES(INNER ", " MIDDLE));
    change(f, SHARES(INNER ", " MIDDLE ", " OUTER));
    assert_string_equal(f->mounts, "-/mnt/n/m/i -/mnt/n/m +/mnt/n +/mnt/n/m +/mnt/n/m/i ");
    assert_all_in_use(f, 3);
}

static void one_above_a_busy_one_is_refused_and_the_busy_one_stays(void **state)
{
    struct fixture *f = *state;

    serve(f, SHARES(INNER));
    f->busy = "/mnt/n/m/i";
    change(f, SHARES(INNER ", " OUTER));
    assert_string_equal(f->mounts, "-/mnt/n/m/i ");
    assert_int_equal(view_of(f, "inner").state, VM_DEVICE_IN_USE);
    assert_int_equal(view_of(f, "outer").state, VM_DEVICE_FAILED);
    assert_non_null(
        strstr(view_of(f, "outer").error, "cannot unmount share inner, which is mounted below"));
}

static void the_inner_one_is_unmounted_first(void **state)
{
    struct fixture *f = *state;

    serve(f, SHARES(OUTER ", " MIDDLE ", " INNER));
    change(f, "\"shares\": []");
    assert_string_equal(f->mounts, "-/mnt/n/m/i -/mnt/n/m -/mnt/n ");
    assert_all_in_use(f, 0);
}

static void the_outer_one_is_not_removed_under_the_inner_one(void **state)
{
    struct fixture *f = *state;

    serve(f, SHARES(OUTER ", " MIDDLE ", " INNER));
    f->mounts[0] = '\0';
    assert_int_equal(vm_remove_share(f->vm, "outer", note_done, f), 0);
    settle(f);
    assert_int_equal(f->error, EBUSY);
    assert_string_equal(f->mounts, "");
    assert_all_in_use(f, 3);
    /* both are asked to go: in order */
    assert_int_equal(vm_remove_share(f->vm, "inner", note_done, f), 0);
    assert_int_equal(vm_remove_share(f->vm, "middle", note_done, f), 0);
    settle(f);
    assert_string_equal(f->mounts, "-/mnt/n/m/i -/mnt/n/m ");
    assert_int_equal(f->done, 3);
    assert_int_equal(f->error, 0);
    assert_all_in_use(f, 1);
}

static void a_reload_that_takes_one_away_from_around_others_keeps_them(void **state)
{
    struct fixture *f = *state;

    serve(f, SHARES(OUTER ", " MIDDLE ", " INNER));
    change(f, SHARES(OUTER ", " INNER));
    assert_string_equal(f->mounts, "-/mnt/n/m/i -/mnt/n/m +/mnt/n/m/i ");
    assert_all_in_use(f, 2);
    /* as one that is another from now on does */
    change(f, SHARES(SHARE("outer", "/opt", "/mnt/n") ", " INNER));
    assert_string_equal(f->mounts, "-/mnt/n/m/i -/mnt/n +/mnt/n +/mnt/n/m/i ");
    assert_all_in_use(f, 2);
    /* and stays if what is below it cannot be unmounted */
    f->busy = "/mnt/n/m/i";
    change(f, SHARES(INNER));
    assert_string_equal(f->mounts, "-/mnt/n/m/i ");
    assert_all_in_use(f, 2);
    /* until a reload finds that it can be */
    f->busy = NULL;
    again(f);
    assert_string_equal(f->mounts, "-/mnt/n/m/i -/mnt/n +/mnt/n/m/i ");
    assert_all_in_use(f, 1);
}

static void one_that_a_reload_could_not_take_away_goes_later(void **state)
{
    struct fixture *f = *state;

    serve(f, SHARES(OUTER ", " ASIDE));
    f->busy = "/mnt/n";
    change(f, SHARES(ASIDE));
    assert_string_equal(f->mounts, "-/mnt/n ");
    assert_all_in_use(f, 2);
    again(f);
    assert_string_equal(f->mounts, "-/mnt/n ");
    assert_all_in_use(f, 2);
    /* named again, it stays */
    change(f, SHARES(OUTER ", " ASIDE));
    again(f);
    assert_string_equal(f->mounts, "");
    assert_all_in_use(f, 2);
    /* its successor has the tag when it has gone */
    change(f, SHARES(SHARE("outer", "/opt", "/mnt/n")));
    f->busy = NULL;
    again(f);
    assert_string_equal(f->mounts, "-/mnt/n +/mnt/n ");
    assert_string_equal(view_of(f, "outer").path, "/opt");
    assert_all_in_use(f, 1);
    /* the next boot has no trace of one */
    f->busy = "/mnt/n";
    change(f, "\"shares\": []");
    assert_all_in_use(f, 1);
    f->boot++;
    connect_guest(f, POOL);
    assert_string_equal(f->mounts, "");
    assert_all_in_use(f, 0);
}

/* What somebody asked for and heard of is not done behind his back. */
static void one_that_somebody_could_not_remove_stays(void **state)
{
    struct fixture *f = *state;

    serve(f, SHARES(OUTER));
    f->busy = "/mnt/n";
    assert_int_equal(vm_remove_share(f->vm, "outer", note_done, f), 0);
    settle(f);
    assert_int_equal(f->error, EBUSY);
    f->busy = NULL;
    again(f);
    assert_string_equal(f->mounts, "");
    assert_all_in_use(f, 1);
}

static void a_target_that_is_gone_is_unmounted(void **state)
{
    static const int errors[] = {EINVAL, ENOENT, ENOTDIR};
    struct fixture *f = *state;

    serve(f, SHARES(OUTER ", " ASIDE ", " INNER));
    for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
        static const char *const tags[] = {"inner", "outer", "aside"};

        f->answer = errors[i];
        assert_int_equal(vm_remove_share(f->vm, tags[i], note_done, f), 0);
        settle(f);
        assert_int_equal(f->done, i + 1);
        assert_int_equal(f->error, 0);
        assert_all_in_use(f, 2 - i);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_outer_one_is_mounted_first_whatever_the_order),
        TEST(those_beside_each_other_do_not_wait),
        TEST(paths_are_compared_without_slashes_that_say_nothing),
        TEST(those_below_a_lost_one_are_lost_and_come_again_after_it),
        TEST(a_mount_that_is_under_way_below_a_lost_one_counts_for_nothing),
        TEST(one_that_cannot_be_mounted_does_not_keep_those_below_it),
        TEST(one_that_is_added_above_a_mounted_one_is_refused),
        TEST(a_reload_that_adds_one_above_takes_them_in_order),
        TEST(one_above_a_busy_one_is_refused_and_the_busy_one_stays),
        TEST(the_inner_one_is_unmounted_first),
        TEST(the_outer_one_is_not_removed_under_the_inner_one),
        TEST(a_reload_that_takes_one_away_from_around_others_keeps_them),
        TEST(one_that_a_reload_could_not_take_away_goes_later),
        TEST(one_that_somebody_could_not_remove_stays),
        TEST(a_target_that_is_gone_is_unmounted),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
