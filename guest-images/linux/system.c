/* SPDX-License-Identifier: BSD-2-Clause */
/* What the kernel does about each weakness of processors that it knows: it is part of every figure.
 */
#include <dirent.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include "guest-images/linux/bench.h"

#define VULNERABILITIES "/sys/devices/system/cpu/vulnerabilities"

/* The file's one line, without what would end a string of JSON. */
static int read_line(const char *name, char *line, int size)
{
	char path[sizeof(VULNERABILITIES) + 256];
	FILE *f;

	snprintf(path, sizeof(path), VULNERABILITIES "/%s", name);
	f = fopen(path, "r");
	if (!f)
		return 0;
	if (!fgets(line, size, f))
		*line = 0;
	fclose(f);
	line[strcspn(line, "\n\"\\")] = 0;
	return *line != 0;
}

void print_system(void)
{
	const char *comma = "";
	struct dirent *entry;
	char line[256];
	DIR *d;

	mkdir("/sys", 0755);
	mount("sysfs", "/sys", "sysfs", 0, NULL);
	d = opendir(VULNERABILITIES);
	if (!d)
		return;
	printf("{\"system\":{\"mitigations\":{");
	while ((entry = readdir(d)))
		if (entry->d_name[0] != '.' && read_line(entry->d_name, line, sizeof(line))) {
			printf("%s\"%s\":\"%s\"", comma, entry->d_name, line);
			comma = ",";
		}
	puts("}}}");
	closedir(d);
	umount("/sys");
}
