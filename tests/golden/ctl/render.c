/* SPDX-License-Identifier: ISC */
/*
 * usage: render FILE.json
 *
 * Print what supctl would print for people, from a recorded answer.  The
 * recording says how: {"print": "status", "tree": true, "color": false,
 * "now_ns": N, "data": ...}.
 */
#include "ctl/ctl.h"
#include "ctl/print_config.h"
#include "ctl/print_events.h"
#include "ctl/print_status.h"
#include "ctl/print_talk.h"

#include <err.h>
#include <locale.h>
#include <string.h>

static void
each(const json_t *data, int64_t now_ns,
    void (*print)(FILE *out, const json_t *o, int64_t wall_ns))
{
	for (size_t i = 0; i < json_array_size(data); i++)
		print(stdout, json_array_get(data, i), now_ns);
}

int
main(int argc, char **argv)
{
	const char *how;
	const json_t *data;
	int64_t now_ns;
	json_t *rec;
	json_error_t e;
	int r = 0;

	if (argc != 2)
		errx(2, "usage: render FILE.json");
	setlocale(LC_CTYPE, "C.UTF-8");
	rec = json_load_file(argv[1], 0, &e);
	if (rec == NULL)
		errx(2, "%s:%d: %s", argv[1], e.line, e.text);
	how = ctl_str(rec, "print", "");
	data = json_object_get(rec, "data");
	now_ns = ctl_int(rec, "now_ns", 0);
	if (strcmp(how, "status") == 0)
		r = print_status(stdout, data, ctl_bool(rec, "tree"),
		    ctl_bool(rec, "color"));
	else if (strcmp(how, "fields") == 0)
		r = print_fields(stdout, data);
	else if (strcmp(how, "names") == 0)
		r = print_names(stdout, data);
	else if (strcmp(how, "events") == 0)
		each(data, now_ns, print_event);
	else if (strcmp(how, "lines") == 0)
		each(data, now_ns, print_log_line);
	else if (strcmp(how, "info") == 0)
		r = print_info(stdout, data);
	else if (strcmp(how, "trace") == 0)
		for (size_t i = 0; i < json_array_size(data); i++)
			print_traced(stdout, json_array_get(data, i));
	else if (strcmp(how, "steps") == 0)
		r = print_steps(stdout, data);
	else if (strcmp(how, "would") == 0)
		r = print_changes(stdout, data, PRINT_WOULD);
	else if (strcmp(how, "taken") == 0)
		r = print_changes(stdout, data, PRINT_TAKEN);
	else if (strcmp(how, "done") == 0)
		r = print_changes(stdout, data, PRINT_DONE);
	else if (strcmp(how, "why") == 0)
		r = print_why(stdout, data, (mono_t){ now_ns });
	else
		errx(2, "%s: cannot print \"%s\"", argv[1], how);
	json_decref(rec);
	return r == 0 ? 0 : 1;
}
