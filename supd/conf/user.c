/* SPDX-License-Identifier: ISC */
/*
 * user, group, groups: looked up at load, so that a wrong name is an error
 * with a line and never a worker that runs as somebody else.
 */
#include "conf/bind.h"
#include "conf/value.h"

#include <assert.h>
#include <grp.h>
#include <pwd.h>
#include <string.h>

#define NSS_BUF_BYTES 65536

struct user {
	bool found;
	int error;
	uid_t uid;
	gid_t gid;
	const char *name, *home, *shell;
	uint32_t n_groups; /* more than CONF_GROUPS_MAX: too many */
	gid_t groups[CONF_GROUPS_MAX];
};

struct group_entry {
	bool found;
	int error;
	gid_t gid;
};

static bool
is_id(const char *s, uint32_t *ret)
{
	int64_t v;

	if (value_int(s, &v) != NULL || v < 0 || v >= UINT32_MAX)
		return false;
	*ret = (uint32_t)v;
	return true;
}

static const struct user *
look_up_user(struct load *ld, const char *name)
{
	struct user *u = strmap_get(&ld->users, name);
	char *mem;
	struct passwd pw, *found = NULL;
	uint32_t id;
	int n = CONF_GROUPS_MAX;

	if (u != NULL)
		return u;
	u = arena_zalloc(ld->arena, sizeof(*u));
	strmap_put(&ld->users, name, u);
	mem = arena_zalloc(ld->arena, NSS_BUF_BYTES);
	if (is_id(name, &id))
		u->error = getpwuid_r(id, &pw, mem, NSS_BUF_BYTES, &found);
	else
		u->error = getpwnam_r(name, &pw, mem, NSS_BUF_BYTES, &found);
	if (found == NULL)
		return u;
	u->found = true;
	u->uid = pw.pw_uid;
	u->gid = pw.pw_gid;
	u->name = pw.pw_name;
	u->home = pw.pw_dir;
	u->shell = pw.pw_shell[0] == '\0' ? "/bin/sh" : pw.pw_shell;
	if (getgrouplist(pw.pw_name, pw.pw_gid, u->groups, &n) < 0)
		n = CONF_GROUPS_MAX + 1;
	u->n_groups = (uint32_t)n;
	return u;
}

static bool
look_up_group(struct load *ld, const struct node *at, gid_t *ret)
{
	const char *name = load_text(ld, at, "a group");
	struct group_entry *g;
	struct group gr, *found = NULL;
	char *mem;
	uint32_t id;

	if (name == NULL)
		return false;
	if (is_id(name, &id)) {
		*ret = id;
		return true;
	}
	g = strmap_get(&ld->groups, name);
	if (g == NULL) {
		g = arena_zalloc(ld->arena, sizeof(*g));
		strmap_put(&ld->groups, name, g);
		mem = arena_zalloc(ld->arena, NSS_BUF_BYTES);
		g->error = getgrnam_r(name, &gr, mem, NSS_BUF_BYTES, &found);
		g->found = found != NULL;
		g->gid = found != NULL ? gr.gr_gid : 0;
	}
	if (!g->found) {
		diag_error(&ld->diag, at, "no group %s on this machine%s%s",
		    diag_quote(&ld->diag, name), g->error != 0 ? ": " : "",
		    g->error != 0 ? strerror(g->error) : "");
		return false;
	}
	*ret = g->gid;
	return true;
}

static void
set_user(struct load *ld, struct wbind *b, const struct node *at,
    bool has_group, bool has_groups)
{
	const char *name = load_text(ld, at, "user");
	const struct user *u = name == NULL ? NULL : look_up_user(ld, name);
	uint32_t id;

	if (u == NULL)
		return;
	if (!u->found && !is_id(name, &id)) {
		diag_error(&ld->diag, at, "no user %s on this machine%s%s",
		    diag_quote(&ld->diag, name), u->error != 0 ? ": " : "",
		    u->error != 0 ? strerror(u->error) : "");
		return;
	}
	if (!u->found) {
		b->w.uid = id;
		if (!has_group)
			diag_error(&ld->diag, at,
			    "user %u is not in the password database; give "
			    "its `group` too",
			    id);
		return;
	}
	b->w.uid = u->uid;
	b->w.gid = u->gid;
	b->w.user_name = u->name;
	b->w.home = u->home;
	b->w.shell = u->shell;
	if (has_groups)
		return;
	if (u->n_groups > CONF_GROUPS_MAX) {
		diag_error(&ld->diag, at,
		    "user %s is in more than %d groups; name the ones needed "
		    "in `groups`",
		    diag_quote(&ld->diag, name), CONF_GROUPS_MAX);
		return;
	}
	b->w.n_groups = u->n_groups;
	memcpy(b->w.groups, u->groups, u->n_groups * sizeof(gid_t));
}

static void
set_groups(struct load *ld, struct wbind *b, const struct node *list)
{
	const struct node *n;

	if (list->bad)
		return;
	if (list->kind != NODE_LIST) {
		diag_error(&ld->diag, list,
		    "groups takes a list of groups, not %s",
		    node_kind_text(list));
		return;
	}
	if (list->n > CONF_GROUPS_MAX) {
		diag_error(
		    &ld->diag, list, "more than %d groups", CONF_GROUPS_MAX);
		return;
	}
	for (n = list->first; n != NULL; n = n->next) {
		if (look_up_group(ld, n, &b->w.groups[b->w.n_groups]))
			b->w.n_groups++;
	}
}

void
user_resolve(struct load *ld, struct wbind *b)
{
	const struct node *user = b->val[W_USER - W_FIRST];
	const struct node *group = b->val[W_GROUP - W_FIRST];
	const struct node *groups = b->val[W_GROUPS - W_FIRST];

	if (user == NULL && group == NULL && groups == NULL)
		return;
	b->w.has_user = true;
	b->w.uid = getuid();
	b->w.gid = getgid();
	if (user != NULL)
		set_user(ld, b, user, group != NULL, groups != NULL);
	if (group != NULL)
		look_up_group(ld, group, &b->w.gid);
	if (groups != NULL)
		set_groups(ld, b, groups);
}
