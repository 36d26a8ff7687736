/* SPDX-License-Identifier: ISC */
#include "base/edit.h"

#include <stddef.h>
#include <string.h>

static unsigned
min2(unsigned a, unsigned b)
{
	return a < b ? a : b;
}

unsigned
edit_distance(const char *a, const char *b, unsigned max)
{
	unsigned row[3][EDIT_TEXT_MAX + 1];
	size_t la = strlen(a), lb = strlen(b);

	if (la > EDIT_TEXT_MAX || lb > EDIT_TEXT_MAX ||
	    (la > lb ? la - lb : lb - la) > max)
		return EDIT_FAR;
	for (unsigned j = 0; j <= lb; j++)
		row[0][j] = j;
	for (unsigned i = 1; i <= la; i++) {
		unsigned *cur = row[i % 3], *prev = row[(i + 2) % 3];
		const unsigned *prev2 = row[(i + 1) % 3];

		cur[0] = i;
		for (unsigned j = 1; j <= lb; j++) {
			unsigned d = prev[j - 1] + (a[i - 1] != b[j - 1]);

			d = min2(d, min2(prev[j], cur[j - 1]) + 1);
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] &&
			    a[i - 2] == b[j - 1])
				d = min2(d, prev2[j - 2] + 1);
			cur[j] = d;
		}
	}
	return row[la % 3][lb] <= max ? row[la % 3][lb] : EDIT_FAR;
}
