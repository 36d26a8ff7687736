/* SPDX-License-Identifier: ISC */
#include "ctl/print_config.h"

#include "ctl/ctl.h"
#include "ctl/table.h"
#include "ctl/text.h"

#include <string.h>

/* Ages stand right-aligned, so the table is given padded cells. */
int
print_steps(FILE *out, const json_t *result)
{
	cleanup_(table_freep) struct table *t = table_new(3);
	cleanup_(freep) char *summary =
	    text_escape(ctl_str(result, "summary", ""));
	const json_t *steps = json_object_get(result, "steps");
	char age[TEXT_MAX];
	int widest = 0, r;

	if (summary == NULL)
		return -ENOMEM;
	for (size_t i = 0; i < json_array_size(steps); i++) {
		const json_t *s = json_array_get(steps, i);
		int len = (int)strlen(
		    text_age(ctl_int(s, "at_ns", 0), age, sizeof(age)));

		widest = len > widest ? len : widest;
	}
	for (size_t i = 0; i < json_array_size(steps); i++) {
		const json_t *s = json_array_get(steps, i);

		text_age(ctl_int(s, "at_ns", 0), age, sizeof(age));
		table_cellf(t, COLOR_NONE, "%*s+%s", widest - (int)strlen(age),
		    "", age);
		table_cell(
		    t, COLOR_NONE, text_short_path(ctl_str(s, "path", "-")));
		table_cell(t, COLOR_NONE, ctl_str(s, "text", ""));
	}
	r = table_print(t, out, false);
	if (r == 0)
		fprintf(out, "%s\n", summary);
	return r;
}
