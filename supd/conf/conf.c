/* SPDX-License-Identifier: ISC */
#include "conf/conf.h"

#include "conf/bind.h"

#include <assert.h>
#include <string.h>

struct job {
	struct load ld;
	/* conf_load */
	const char *path;
	struct conf *conf;
	/* conf_parse_child, conf_instantiate */
	const struct conf_child *parent;
	const char *label, *text;
	size_t len;
	const char *name;
	const char *const *extra_argv;
	struct conf_child *child;
};

static int
load_file(struct job *j)
{
	struct load *ld = &j->ld;
	const struct source *src;
	struct node *map;
	int rc;

	rc = include_read(ld, j->path, NULL, NULL, &src);
	if (rc < 0)
		return rc;
	map = scan_source(ld, src);
	if (map == NULL && ld->diag.n_errors == 0)
		diag_error_at(&ld->diag, (struct place){ .src = src },
		    "is empty; it must hold one supervisor");
	j->conf = arena_zalloc(ld->arena, sizeof(*j->conf));
	if (map != NULL)
		j->conf->root = tree_bind_root(ld, map);
	if (ld->diag.n_errors > 0)
		return -EINVAL;
	assert(j->conf->root != NULL);
	lint_tree(ld, j->conf->root);
	j->conf->n_nodes = ld->n_children;
	j->conf->priv = ld->arena;
	return 0;
}

/* The text becomes the arena's: messages and `show` point into it. */
static int
load_text_child(struct job *j)
{
	struct load *ld = &j->ld;
	struct source *src = arena_zalloc(ld->arena, sizeof(*src));
	struct node *map;

	src->path = arena_strdup(ld->arena, j->label);
	src->dir = "";
	src->text = arena_strndup(ld->arena, j->text, j->len);
	src->len = j->len;
	map = scan_source(ld, src);
	if (map == NULL && ld->diag.n_errors == 0)
		diag_error_at(&ld->diag, (struct place){ .src = src },
		    "is empty; it must hold one child, such as "
		    "{worker: x, command: [...]}");
	if (map != NULL && !j->parent->is_sup)
		diag_error(&ld->diag, map, "\"%s\" is not a supervisor",
		    j->parent->name);
	else if (map != NULL &&
		 j->parent->sup.spec.strategy == SIMPLE_ONE_FOR_ONE)
		diag_error(&ld->diag, map,
		    "supervisor \"%s\" is simple_one_for_one: it starts its "
		    "template; give arguments, not a spec",
		    j->parent->name);
	else if (map != NULL)
		j->child = tree_bind_child(ld, j->parent, map);
	return ld->diag.n_errors > 0 ? -EINVAL : 0;
}

static int
load_instance(struct job *j)
{
	struct load *ld = &j->ld;
	struct source *src = arena_zalloc(ld->arena, sizeof(*src));

	src->path = arena_strdup(ld->arena, j->parent->file);
	src->dir = src->text = "";
	if (!j->parent->is_sup || j->parent->sup.template == NULL)
		diag_error_at(&ld->diag,
		    (struct place){ .src = src, .line = 0 },
		    "\"%s\" has no template", j->parent->name);
	else
		j->child =
		    tree_bind_instance(ld, j->parent, j->name, j->extra_argv);
	return ld->diag.n_errors > 0 ? -EINVAL : 0;
}

/* Whatever happens, nothing but the arena of a success survives. */
static int
run(struct job *j, int (*body)(struct job *), struct buf *ret_errors)
{
	struct load *ld = &j->ld;
	int rc;

	rc = load_open(ld);
	if (rc < 0) {
		buf_puts(ret_errors, "out of memory\n");
		return rc;
	}
	if (setjmp(ld->oom) != 0) {
		buf_puts(ret_errors, "out of memory\n");
		load_close(ld);
		arena_free(ld->arena);
		return -ENOMEM;
	}
	worker_init_defaults(ld);
	rc = body(j);
	diag_render(&ld->diag, ret_errors);
	load_close(ld);
	if (rc < 0)
		arena_free(ld->arena);
	return rc;
}

int
conf_load(const char *path, struct conf **ret_conf, struct buf *ret_errors)
{
	cleanup_(freep) struct job *j = calloc(1, sizeof(*j));
	int rc;

	if (j == NULL)
		return -ENOMEM;
	j->path = path;
	rc = run(j, load_file, ret_errors);
	if (rc == 0)
		*ret_conf = j->conf;
	return rc;
}

void
conf_free(struct conf *c)
{
	if (c != NULL)
		arena_free(c->priv);
}

static int
run_child(struct job *j, int (*body)(struct job *),
    struct conf_child **ret_child, struct buf *ret_errors)
{
	struct origin *o;
	int rc;

	rc = run(j, body, ret_errors);
	if (rc < 0)
		return rc;
	assert(j->child != NULL);
	o = j->child->priv;
	o->own = j->ld.arena;
	*ret_child = j->child;
	return 0;
}

int
conf_parse_child(const struct conf_child *parent, const char *label,
    const char *text, size_t len, struct conf_child **ret_child,
    struct buf *ret_errors)
{
	cleanup_(freep) struct job *j = calloc(1, sizeof(*j));

	if (j == NULL)
		return -ENOMEM;
	j->parent = parent;
	j->label = label;
	j->text = text;
	j->len = len;
	return run_child(j, load_text_child, ret_child, ret_errors);
}

int
conf_instantiate(const struct conf_child *sup, const char *name,
    const char *const *extra_argv, struct conf_child **ret_child,
    struct buf *ret_errors)
{
	cleanup_(freep) struct job *j = calloc(1, sizeof(*j));

	if (j == NULL)
		return -ENOMEM;
	j->parent = sup;
	j->name = name;
	j->extra_argv = extra_argv;
	return run_child(j, load_instance, ret_child, ret_errors);
}

void
conf_child_free(struct conf_child *c)
{
	struct origin *o;

	if (c == NULL)
		return;
	o = c->priv;
	assert(o->own != NULL);
	arena_free(o->own);
}
