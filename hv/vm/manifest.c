/* SPDX-License-Identifier: BSD-2-Clause */
/* The parser of VM descriptions: a table with one row a key (hv/vm/manifest.h lists them). */
#include "hv/dev/platform.h"
#include "hv/cpu/percpu.h"
#include "hv/lib/printf.h"
#include "hv/lib/string.h"
#include "hv/lib/text.h"
#include "hv/vm/load.h"
#include "hv/vm/manifest.h"
#include "hv/vm/runq.h"

#define BALLOON_SECONDS_MAX 1000000u
#define MEM_DEFAULT	    (256 * MB)
#define MEM_MIN		    (4 * MB)
#define DISK_NUMBER_MAX	    99
#define MEM_MAX		    (512 * GB) /* what one level-4 entry of a page table spans */
#define REPEAT_MAX	    1000000u

/* Each sets its part of *m, or returns false: the row then says what would be valid. */
typedef bool (*set_fn)(struct manifest *m, struct text v);

static bool copy(char *to, size_t room, struct text v)
{
	if (v.len >= room)
		return false;
	memcpy(to, v.s, v.len);
	to[v.len] = '\0';
	return true;
}

static bool is_name_char(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       c == '_' || c == '.' || c == '-';
}

/* At most MANIFEST_NAME_MAX characters, at least one. */
static bool copy_name(char *to, struct text v)
{
	for (size_t i = 0; i < v.len; i++) {
		if (!is_name_char(v.s[i]))
			return false;
	}
	return v.len && copy(to, MANIFEST_NAME_MAX + 1, v);
}

static bool yes_or_no(struct text v, bool *to)
{
	*to = text_is(v, "yes");
	return *to || text_is(v, "no");
}

static bool set_name(struct manifest *m, struct text v)
{
	return copy_name(m->name, v);
}

static bool set_boot(struct manifest *m, struct text v)
{
	static const char *const words[] = { "auto", "linux64", "pvh", "multiboot", "elf" };

	return text_one_of(v, words, ARRAY_SIZE(words)) >= 0 && copy(m->boot, sizeof(m->boot), v);
}

static bool set_kernel(struct manifest *m, struct text v)
{
	return copy_name(m->kernel, v);
}

static bool set_initrd(struct manifest *m, struct text v)
{
	return copy_name(m->initrd, v);
}

static bool set_module(struct manifest *m, struct text v)
{
	struct manifest_module *mod = &m->module[m->modules];
	struct text args;

	text_split(&v, ' ', &args);
	if (m->modules == LOADER_MODULES_MAX || !copy_name(mod->name, v) ||
		!copy(mod->args, sizeof(mod->args), args))
		return false;
	m->modules++;
	return true;
}

static bool set_append(struct manifest *m, struct text v)
{
	return copy(m->append, sizeof(m->append), v);
}

/* A number with one of K, M and G behind it, or none. */
static bool size(struct text v, u64 *to)
{
	static const struct {
		char suffix;
		u64 unit;
	} units[] = { { 'K', KB }, { 'M', MB }, { 'G', GB } };
	size_t digits;

	if (!text_number(v, MEM_MAX, to, &digits) || v.len - digits > 1)
		return false;
	for (size_t i = 0; v.len > digits && i < ARRAY_SIZE(units); i++) {
		if (v.s[digits] != units[i].suffix)
			continue;
		if (*to > MEM_MAX / units[i].unit)
			return false;
		*to *= units[i].unit;
		v.len--;
	}
	return v.len == digits;
}

static bool set_mem(struct manifest *m, struct text v)
{
	return size(v, &m->mem) && m->mem >= MEM_MIN && IS_ALIGNED(m->mem, GUESTMEM_CHUNK);
}

static bool set_vcpus(struct manifest *m, struct text v)
{
	return text_whole(v, 1, PLATFORM_MAX_VCPUS, &m->vcpus);
}

static bool set_mmu(struct manifest *m, struct text v)
{
	static const char *const words[] = { [VM_MMU_EPT] = "ept",
		[VM_MMU_SHADOW] = "shadow",
		[VM_MMU_DIRECT] = "direct",
		[VM_MMU_AUTO] = "auto" };
	int i = text_one_of(v, words, ARRAY_SIZE(words));

	m->mmu = (enum vm_mmu)MAX(i, 0);
	return i >= 0;
}

static bool set_shadow(struct manifest *m, struct text v)
{
	static const char *const words[] = {
		[SHADOW_OOS] = "oos", [SHADOW_SYNC] = "sync", [SHADOW_VTLB] = "vtlb"
	};
	int i = text_one_of(v, words, ARRAY_SIZE(words));

	m->shadow.strategy = (enum shadow_strategy)MAX(i, 0);
	return i >= 0;
}

static bool set_shadow_pages(struct manifest *m, struct text v)
{
	unsigned *n = &m->shadow.pages;

	return text_whole(v, 0, SHADOW_PAGES_MAX, n) && (!*n || *n >= SHADOW_PAGES_MIN);
}

static bool set_fast(struct manifest *m, struct text v, unsigned bit)
{
	bool on;

	if (!yes_or_no(v, &on))
		return false;
	m->shadow.fast = on ? m->shadow.fast | bit : m->shadow.fast & ~bit;
	return true;
}

static bool set_shadow_filter(struct manifest *m, struct text v)
{
	return set_fast(m, v, SHADOW_FILTER);
}

static bool set_shadow_prefetch(struct manifest *m, struct text v)
{
	return set_fast(m, v, SHADOW_PREFETCH);
}

static bool set_shadow_install(struct manifest *m, struct text v)
{
	return set_fast(m, v, SHADOW_INSTALL);
}

static bool set_shadow_targets(struct manifest *m, struct text v)
{
	return set_fast(m, v, SHADOW_TARGETS);
}

static bool set_shadow_audit(struct manifest *m, struct text v)
{
	bool on;

	if (!yes_or_no(v, &on))
		return text_whole(v, 1, SHADOW_AUDIT_MAX, &m->shadow.audit);
	m->shadow.audit = on;
	return true;
}

static bool set_io(struct manifest *m, struct text v)
{
	static const char *const words[] = {
		[VM_IO_VIRTIO] = "virtio", [VM_IO_EMULATED] = "emulated"
	};
	int i = text_one_of(v, words, ARRAY_SIZE(words));

	m->io = (enum vm_io)MAX(i, 0);
	return i >= 0;
}

static bool disk_blank(struct manifest_disk *d, struct text v)
{
	d->kind = DISK_IS_BLANK;
	return size(v, &d->size) && d->size;
}

static bool disk_number(struct manifest_disk *d, struct text v)
{
	d->kind = DISK_IS_PHYSICAL;
	d->physical.kind = PHYSICAL_DISK;
	return text_whole(v, 0, DISK_NUMBER_MAX, &d->physical.disk);
}

static bool disk_partition(struct manifest_disk *d, struct text v)
{
	for (size_t i = 0; i < v.len; i++)
		if (!is_name_char(v.s[i]))
			return false;
	d->kind = DISK_IS_PHYSICAL;
	d->physical.kind = PHYSICAL_NAME;
	return v.len && copy(d->physical.partition, sizeof(d->physical.partition), v);
}

static bool disk_uuid(struct manifest_disk *d, struct text v)
{
	char text[GPT_GUID_TEXT + 1];

	d->kind = DISK_IS_PHYSICAL;
	d->physical.kind = PHYSICAL_UUID;
	return copy(text, sizeof(text), v) && gpt_guid_parse(text, d->physical.uuid);
}

static const struct {
	const char *prefix;
	bool (*set)(struct manifest_disk *d, struct text v);
} disk_kinds[] = {
	{ "blank:", disk_blank },
	{ "disk:", disk_number },
	{ "part:", disk_partition },
	{ "uuid:", disk_uuid },
};

static bool set_disk(struct manifest *m, struct text v)
{
	struct text option, rest;
	struct manifest_disk *d = &m->disk[m->disks];

	text_split(&v, ' ', &option);
	if (m->disks == MANIFEST_DISKS_MAX || (option.len && !text_is(option, "ro")))
		return false;
	d->read_only = option.len;
	m->disks++;
	for (size_t i = 0; i < ARRAY_SIZE(disk_kinds); i++)
		if (text_after(v, disk_kinds[i].prefix, &rest))
			return disk_kinds[i].set(d, rest);
	return copy_name(d->module, v);
}

static bool set_rng(struct manifest *m, struct text v)
{
	return yes_or_no(v, &m->rng);
}

static bool set_console(struct manifest *m, struct text v)
{
	m->virtio_console = text_is(v, "virtio");
	return m->virtio_console || text_is(v, "uart");
}

static bool set_console_size(struct manifest *m, struct text v)
{
	unsigned columns, rows;
	struct text rest;

	if (!text_split(&v, 'x', &rest) || !text_whole(v, 1, UINT16_MAX, &columns) ||
		!text_whole(rest, 1, UINT16_MAX, &rows))
		return false;
	m->columns = (u16)columns;
	m->rows = (u16)rows;
	return true;
}

static bool set_net(struct manifest *m, struct text v)
{
	static const char *const words[] = {
		[VM_NET_NONE] = "none", [VM_NET_SWITCH] = "switch", [VM_NET_UPLINK] = "uplink"
	};
	int i = text_one_of(v, words, ARRAY_SIZE(words));

	m->net = (enum vm_net)MAX(i, 0);
	return i >= 0;
}

/* SIZE, or SIZE@SECONDS */
static bool set_balloon_step(struct manifest *m, struct text v)
{
	struct balloon_plan *plan = &m->balloon;
	struct balloon_step *s = &plan->step[plan->steps];
	unsigned seconds = 0;
	struct text rest;

	if (plan->steps == BALLOON_STEPS_MAX)
		return false;
	if (text_split(&v, '@', &rest) && !text_whole(rest, 0, BALLOON_SECONDS_MAX, &seconds))
		return false;
	s->seconds = seconds;
	if (!size(v, &s->bytes) || !IS_ALIGNED(s->bytes, PAGE_SIZE) ||
		(plan->steps && s->seconds < s[-1].seconds))
		return false;
	plan->steps++;
	return true;
}

static bool set_balloon(struct manifest *m, struct text v)
{
	struct text rest;

	for (; v.len; v = rest) {
		text_split(&v, ' ', &rest);
		if (!set_balloon_step(m, v))
			return false;
	}
	return m->balloon.steps;
}

static bool set_virtio(struct manifest *m, struct text v)
{
	m->virtio_mmio = text_is(v, "mmio");
	return m->virtio_mmio || text_is(v, "pci");
}

static bool set_rings(struct manifest *m, struct text v)
{
	m->packed_rings = text_is(v, "packed");
	return m->packed_rings || text_is(v, "split");
}

static bool set_testdev(struct manifest *m, struct text v)
{
	return yes_or_no(v, &m->testdev);
}

static bool set_debugexit(struct manifest *m, struct text v)
{
	return yes_or_no(v, &m->debugexit);
}

static bool set_kvmclock(struct manifest *m, struct text v)
{
	return yes_or_no(v, &m->kvmclock);
}

static bool set_time(struct manifest *m, struct text v)
{
	m->virtual_time = text_is(v, "virtual");
	return m->virtual_time || text_is(v, "real");
}

static bool set_ple(struct manifest *m, struct text v)
{
	return yes_or_no(v, &m->ple);
}

static bool set_counters(struct manifest *m, struct text v)
{
	return yes_or_no(v, &m->counters);
}

static bool set_reboot(struct manifest *m, struct text v)
{
	return yes_or_no(v, &m->reboot);
}

static bool set_weight(struct manifest *m, struct text v)
{
	return text_whole(v, 1, SHARE_WEIGHT_MAX, &m->weight);
}

static bool set_cap(struct manifest *m, struct text v)
{
	return text_whole(v, 0, SHARE_CAP_MAX, &m->cap);
}

static bool set_pin(struct manifest *m, struct text v)
{
	m->pinned = !text_is(v, "any");
	return !m->pinned || text_whole(v, 0, CPUS_MAX - 1, &m->pin);
}

static bool set_repeat(struct manifest *m, struct text v)
{
	return text_whole(v, 1, REPEAT_MAX, &m->repeat);
}

static const struct key {
	const char *name;
	set_fn set;
	const char *valid; /* ends the sentence "KEY must be ..." */
	bool repeats;
} keys[] = {
	{ "name", set_name, "1 to 31 characters of [A-Za-z0-9_.-]", false },
	{ "boot", set_boot, "auto, linux64, pvh, multiboot or elf", false },
	{ "kernel", set_kernel, "a module's name: 1 to 31 characters of [A-Za-z0-9_.-]", false },
	{ "initrd", set_initrd, "a module's name: 1 to 31 characters of [A-Za-z0-9_.-]", false },
	{ "module", set_module, "a module's name and at most 255 characters, up to 32 times",
		true },
	{ "append", set_append, "at most 2047 characters", false },
	{ "mem", set_mem, "a multiple of 2M from 4M to 512G, such as 256M", false },
	{ "vcpus", set_vcpus, "1 to 16", false },
	{ "mmu", set_mmu, "auto, ept, shadow or direct", false },
	{ "shadow", set_shadow, "oos, sync or vtlb", false },
	{ "shadow_pages", set_shadow_pages, "0, or 32 to 1048576", false },
	{ "shadow_filter", set_shadow_filter, "yes or no", false },
	{ "shadow_prefetch", set_shadow_prefetch, "yes or no", false },
	{ "shadow_install", set_shadow_install, "yes or no", false },
	{ "shadow_targets", set_shadow_targets, "yes or no", false },
	{ "shadow_audit", set_shadow_audit, "yes, no, or 1 to 1000000", false },
	{ "io", set_io, "virtio or emulated", false },
	{ "disk", set_disk,
		"a module's name, blank:SIZE, part:NAME, uuid:UUID or disk:NUMBER, and \"ro\" or "
		"nothing, up to 8 times",
		true },
	{ "rng", set_rng, "yes or no", false },
	{ "console", set_console, "uart or virtio", false },
	{ "console_size", set_console_size, "columns and rows, such as 80x24", false },
	{ "net", set_net, "none, switch or uplink", false },
	{ "balloon", set_balloon,
		"sizes with the seconds from which on they hold, such as 128M@5 0@20, up to 8",
		false },
	{ "virtio", set_virtio, "pci or mmio", false },
	{ "rings", set_rings, "packed or split", false },
	{ "testdev", set_testdev, "yes or no", false },
	{ "debugexit", set_debugexit, "yes or no", false },
	{ "kvmclock", set_kvmclock, "yes or no", false },
	{ "time", set_time, "real or virtual", false },
	{ "ple", set_ple, "yes or no", false },
	{ "counters", set_counters, "yes or no", false },
	{ "weight", set_weight, "1 to 10000", false },
	{ "cap", set_cap, "0 to 1600", false },
	{ "pin", set_pin, "any, or 0 to 63", false },
	{ "repeat", set_repeat, "1 to 1000000", false },
	{ "reboot", set_reboot, "yes or no", false },
};

static_assert(SHADOW_PAGES_MIN == 32 && SHADOW_PAGES_MAX == 1048576 && PLATFORM_MAX_VCPUS == 16 &&
		      LOADER_MODULES_MAX == 32 && MANIFEST_DISKS_MAX == 8 &&
		      BALLOON_STEPS_MAX == 8 && MANIFEST_NAME_MAX == 31 &&
		      LOADER_CMDLINE_MAX == 2047 && SHARE_WEIGHT_MAX == 10000 &&
		      SHARE_CAP_MAX == 100 * PLATFORM_MAX_VCPUS && CPUS_MAX == 64 &&
		      REPEAT_MAX == 1000000,
	"the sentences above name these");

/* How much of a hostile line a message quotes. */
#define QUOTE_MAX 40

/* Names as many of the keys as there is room for. */
static enum status unknown_key(struct text name, unsigned number_of, char *err)
{
	char list[LOADER_ERR_MAX];
	size_t n = 0;

	for (size_t i = 0; i < ARRAY_SIZE(keys) && n < sizeof(list); i++)
		n += (size_t)snprintf(
			list + n, sizeof(list) - n, "%s%s", i ? ", " : "", keys[i].name);
	return load_refuse(err, ERR_NOENT, "VM file line %u: unknown key \"%.*s\", expected %s",
		number_of, (int)MIN(name.len, (size_t)QUOTE_MAX), name.s, list);
}

static enum status parse_line(
	struct manifest *m, struct text line, unsigned number_of, u64 *seen, char *err)
{
	struct text name = line, value;

	if (!text_split(&name, '=', &value))
		return load_refuse(err, ERR_INVAL,
			"VM file line %u: \"%.*s\" has no '=', expected key=value", number_of,
			(int)MIN(line.len, (size_t)QUOTE_MAX), line.s);

	for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
		const struct key *k = &keys[i];

		if (!text_is(name, k->name))
			continue;
		if (!k->repeats && (*seen & BIT(i)))
			return load_refuse(err, ERR_EXIST, "VM file line %u: %s is given twice",
				number_of, k->name);
		*seen |= BIT(i);
		if (k->set(m, value))
			return OK;
		return load_refuse(err, ERR_INVAL, "VM file line %u: %s=%.*s: %s must be %s",
			number_of, k->name, (int)MIN(value.len, (size_t)QUOTE_MAX), value.s,
			k->name, k->valid);
	}
	return unknown_key(name, number_of, err);
}

/* Blanks at both ends of a line, and a CR, do not count. */
static struct text trim(struct text t)
{
	while (t.len && (t.s[0] == ' ' || t.s[0] == '\t')) {
		t.s++;
		t.len--;
	}
	while (t.len && (t.s[t.len - 1] == ' ' || t.s[t.len - 1] == '\t' ||
				t.s[t.len - 1] == '\r' || t.s[t.len - 1] == '\0'))
		t.len--;
	return t;
}

static enum status check_line(struct text line, unsigned number_of, char *err)
{
	for (size_t i = 0; i < line.len; i++) {
		u8 c = (u8)line.s[i];

		if ((c < ' ' && c != '\t') || c == 0x7f)
			return load_refuse(err, ERR_INVAL,
				"VM file line %u has the byte 0x%02x, expected text", number_of, c);
	}
	return OK;
}

enum status manifest_parse(const char *text, size_t len, struct manifest *out, char *err)
{
	struct text rest = { text, len };
	unsigned number_of = 0;
	u64 seen = 0;
	enum status st = OK;

	static_assert(ARRAY_SIZE(keys) <= 64, "a bit a key");
	*out = (struct manifest){ .name = "vm",
		.boot = "auto",
		.mem = MEM_DEFAULT,
		.vcpus = 1,
		.mmu = VM_MMU_AUTO,
		.shadow.fast = SHADOW_FAST_ALL,
		.io = VM_IO_VIRTIO,
		.packed_rings = true,
		.ple = true,
		.weight = SHARE_WEIGHT,
		.repeat = 1,
		.reboot = true };
	while (!st && rest.len) {
		struct text line = rest;

		text_split(&line, '\n', &rest);
		line = trim(line);
		number_of++;
		if (!line.len || line.s[0] == '#')
			continue;
		st = check_line(line, number_of, err);
		if (!st)
			st = parse_line(out, line, number_of, &seen, err);
	}
	if (!st && !out->kernel[0])
		st = load_refuse(
			err, ERR_NOENT, "the VM file names no kernel: expected kernel=NAME");
	out->debugexit |= out->testdev;
	return st;
}
