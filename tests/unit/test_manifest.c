/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * VM descriptions: each key, its default, its limits, and the sentence for each mistake.
 *
 * Sources: hv/drv/gpt.c hv/vm/manifest.c hv/vm/load.c hv/vm/load_linux.c hv/vm/load_elf.c
 * hv/vm/load_pvh.c hv/vm/load_multiboot.c hv/mem/guestmem.c hv/mem/guestmem_loose.c hv/lib/text.c
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "hv/vm/manifest.h"

static struct manifest m;
static char err[LOADER_ERR_MAX];

/* From memory of exactly that length, so that reading past it is seen. */
static enum status parse_bytes(const char *text, size_t len)
{
	char *copy = malloc(len ? len : 1);
	enum status st;

	memcpy(copy, text, len);
	st = manifest_parse(copy, len, &m, err);
	free(copy);
	return st;
}

static void good(const char *text)
{
	if (parse_bytes(text, strlen(text)))
		fail_msg("refused: %s", err);
}

static void bad(const char *text, const char *words)
{
	assert_int_not_equal(parse_bytes(text, strlen(text)), OK);
	if (!strstr(err, words))
		fail_msg("the sentence is \"%s\", expected \"...%s...\"", err, words);
}

static void test_defaults(void **state)
{
	(void)state;
	good("kernel=vm0.kernel");
	assert_string_equal(m.name, "vm");
	assert_string_equal(m.boot, "auto");
	assert_string_equal(m.kernel, "vm0.kernel");
	assert_string_equal(m.initrd, "");
	assert_string_equal(m.append, "");
	assert_int_equal(m.modules, 0);
	assert_int_equal(m.mem, 256 * MB);
	assert_int_equal(m.vcpus, 1);
	assert_int_equal(m.mmu, VM_MMU_AUTO);
	assert_int_equal(m.shadow.strategy, SHADOW_OOS);
	assert_int_equal(m.shadow.fast, SHADOW_FAST_ALL);
	assert_int_equal(m.io, VM_IO_VIRTIO);
	assert_false(m.testdev);
	assert_false(m.debugexit);
	assert_false(m.kvmclock);
	assert_true(m.ple);
	assert_false(m.virtual_time);
	assert_true(m.reboot);
	assert_int_equal(m.weight, 100);
	assert_int_equal(m.cap, 0);
	assert_false(m.pinned);
	assert_int_equal(m.repeat, 1);
}

static void test_all_keys(void **state)
{
	(void)state;
	good("# a VM\r\n\n  name=linux-6.1_a \r\nboot=pvh\nkernel=k\ninitrd=i\nmodule=m0 a  b=c\n"
	     "module=m1\nappend=console=ttyS0 root=/dev/vda # not a comment\nmem=5G\nvcpus=16\n"
	     "mmu=shadow\nio=emulated\ntestdev=yes\nkvmclock=yes\nreboot=no\n");
	assert_string_equal(m.name, "linux-6.1_a");
	assert_string_equal(m.boot, "pvh");
	assert_string_equal(m.initrd, "i");
	assert_int_equal(m.modules, 2);
	assert_string_equal(m.module[0].name, "m0");
	assert_string_equal(m.module[0].args, "a  b=c");
	assert_string_equal(m.module[1].name, "m1");
	assert_string_equal(m.module[1].args, "");
	assert_string_equal(m.append, "console=ttyS0 root=/dev/vda # not a comment");
	assert_int_equal(m.mem, 5 * GB);
	assert_int_equal(m.vcpus, 16);
	assert_int_equal(m.mmu, VM_MMU_SHADOW);
	assert_int_equal(m.io, VM_IO_EMULATED);
	assert_true(m.testdev);
	assert_true(m.debugexit); /* implied */
	assert_true(m.kvmclock);
	assert_false(m.reboot);
}

static void test_mem(void **state)
{
	static const char *const wrong[] = { "", "M", "0", "1M", "2M", "5M", "3G5", "256m", "256MB",
		"-4M", "0x100M", "513G", "549755813890K", "99999999999999999999M", "4194305",
		"4M M" };
	char line[100];

	(void)state;
	good("kernel=k\nmem=4M");
	assert_int_equal(m.mem, 4 * MB);
	good("kernel=k\nmem=4096K");
	assert_int_equal(m.mem, 4 * MB);
	good("kernel=k\nmem=6291456");
	assert_int_equal(m.mem, 6 * MB);
	good("kernel=k\nmem=512G");
	assert_int_equal(m.mem, 512 * GB);
	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
		snprintf(line, sizeof(line), "kernel=k\nmem=%s", wrong[i]);
		bad(line, "VM file line 2: mem=");
		bad(line, "mem must be a multiple of 2M from 4M to 512G");
	}
}

static void test_words(void **state)
{
	(void)state;
	bad("boot=xen", "line 1: boot=xen: boot must be auto, linux64, pvh, multiboot or elf");
	bad("mmu=none", "mmu must be auto, ept, shadow or direct");
	bad("mmu=", "mmu must be auto, ept, shadow or direct");
	bad("io=virtio2", "io must be virtio or emulated");
	bad("testdev=1", "testdev must be yes or no");
	bad("debugexit=true", "debugexit must be yes or no");
	bad("kvmclock=YES", "kvmclock must be yes or no");
	bad("ple=true", "ple must be yes or no");
	bad("time=", "time must be real or virtual");
	bad("time=virtually", "time must be real or virtual");
	bad("counters=maybe", "counters must be yes or no");
	bad("reboot=", "reboot must be yes or no");
	bad("weight=0", "weight must be 1 to 10000");
	bad("weight=10001", "weight must be 1 to 10000");
	bad("weight=1.5", "weight must be 1 to 10000");
	bad("cap=1601", "cap must be 0 to 1600");
	bad("cap=-1", "cap must be 0 to 1600");
	bad("pin=64", "pin must be any, or 0 to 63");
	bad("pin=", "pin must be any, or 0 to 63");
	bad("repeat=0", "repeat must be 1 to 1000000");
	good("kernel=k\nweight=10000\ncap=100\npin=63\nrepeat=1000000");
	assert_int_equal(m.weight, 10000);
	assert_int_equal(m.cap, 100);
	assert_true(m.pinned);
	assert_int_equal(m.pin, 63);
	assert_int_equal(m.repeat, 1000000);
	good("kernel=k\ntime=virtual");
	assert_true(m.virtual_time);
	good("kernel=k\ntime=real\nple=no");
	assert_false(m.ple);
	assert_false(m.virtual_time);
	good("kernel=k\npin=any");
	assert_false(m.pinned);
	bad("shadow=some", "shadow must be oos, sync or vtlb");
	bad("shadow_pages=31", "shadow_pages must be 0, or 32 to 1048576");
	bad("shadow_audit=0", "shadow_audit must be yes, no, or 1 to 1000000");
	bad("shadow_audit=maybe", "shadow_audit must be yes, no, or 1 to 1000000");
	good("kernel=k\nshadow=vtlb\nshadow_pages=64\nshadow_filter=no\nshadow_targets=no\n"
	     "shadow_install=no\nshadow_audit=yes\ncounters=yes");
	assert_true(m.counters);
	assert_int_equal(m.shadow.strategy, SHADOW_VTLB);
	assert_int_equal(m.shadow.pages, 64);
	assert_int_equal(m.shadow.fast, SHADOW_PREFETCH);
	assert_int_equal(m.shadow.audit, 1);
	good("kernel=k\nshadow_audit=500");
	assert_int_equal(m.shadow.audit, 500);
	good("kernel=k\nshadow_audit=no");
	assert_int_equal(m.shadow.audit, 0);
	good("kernel=k\nmmu=direct");
	assert_int_equal(m.mmu, VM_MMU_DIRECT);
	good("kernel=k\ndebugexit=yes");
	assert_true(m.debugexit);
	assert_false(m.testdev);
}

static void test_vcpus(void **state)
{
	(void)state;
	bad("vcpus=0", "vcpus must be 1 to 16");
	bad("vcpus=17", "vcpus must be 1 to 16");
	bad("vcpus=2x", "vcpus must be 1 to 16");
	bad("vcpus=", "vcpus must be 1 to 16");
}

static void test_names(void **state)
{
	(void)state;
	good("kernel=0123456789012345678901234567890");
	bad("kernel=01234567890123456789012345678901", "kernel must be a module's name");
	bad("kernel=", "kernel must be a module's name");
	bad("name=a b", "name must be 1 to 31 characters");
	bad("initrd=../x/y", "initrd must be a module's name");
}

static void test_disks(void **state)
{
	static const char *const wrong[] = { "", " ro", "a rw", "a ro ", "a  ro", "a ro ro", "a/b",
		"blank:", "blank:0", "blank:0M", "blank:x", "blank:-1M", "blank:64M,ro",
		"blank:513G", "blank:64MM", "01234567890123456789012345678901", "disk:", "disk:x",
		"disk:-1", "disk:100", "disk:0x", "part:", "part:a/b", "part:a b",
		"part:0123456789012345678901234567890123456", "uuid:", "uuid:0",
		"uuid:c12a7328-f81f-11d2-ba4b-00a0c93ec93", "image:a" };
	char text[1024];

	(void)state;
	good("kernel=k\ndisk=vm0.disk0\ndisk=blank:64M ro\ndisk=blank:512\ndisk=d ro\nrng=yes");
	assert_int_equal(m.disks, 4);
	assert_string_equal(m.disk[0].module, "vm0.disk0");
	assert_false(m.disk[0].read_only);
	assert_int_equal(m.disk[0].kind, DISK_IS_MODULE);
	assert_int_equal(m.disk[1].kind, DISK_IS_BLANK);
	assert_int_equal(m.disk[1].size, 64 * MB);
	assert_true(m.disk[1].read_only);
	assert_int_equal(m.disk[2].size, 512);
	assert_false(m.disk[2].read_only);
	assert_true(m.disk[3].read_only);
	assert_true(m.rng);
	good("kernel=k\ndisk=disk:3\ndisk=part:root.1-a_b ro\n"
	     "disk=uuid:C12A7328-F81F-11D2-BA4B-00A0C93EC93B");
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(m.disk[i].kind, DISK_IS_PHYSICAL);
	assert_int_equal(m.disk[0].physical.kind, PHYSICAL_DISK);
	assert_int_equal(m.disk[0].physical.disk, 3);
	assert_int_equal(m.disk[1].physical.kind, PHYSICAL_NAME);
	assert_string_equal(m.disk[1].physical.partition, "root.1-a_b");
	assert_true(m.disk[1].read_only);
	assert_int_equal(m.disk[2].physical.kind, PHYSICAL_UUID);
	assert_int_equal(m.disk[2].physical.uuid[0], 0x28);
	assert_int_equal(m.disk[2].physical.uuid[15], 0x3b);
	good("kernel=k\ndisk=part:012345678901234567890123456789012345");
	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
		snprintf(text, sizeof(text), "kernel=k\ndisk=%s\nmem=4M", wrong[i]);
		if (strcmp(wrong[i], "a ro ")) /* blanks at the end of a line do not count */
			bad(text, "disk must be a module's name, blank:SIZE, part:NAME");
		else
			good(text);
	}
	snprintf(text, sizeof(text), "kernel=k\n");
	for (unsigned i = 0; i < MANIFEST_DISKS_MAX; i++)
		strcat(text, "disk=d\n");
	good(text);
	strcat(text, "disk=d\n");
	bad(text, "line 10: disk=d: disk must be");
	good("kernel=k");
	assert_int_equal(m.disks, 0);
	assert_false(m.rng);
	assert_true(m.packed_rings);
	good("kernel=k\nrings=split");
	assert_false(m.packed_rings);
	assert_false(m.virtio_console);
	good("kernel=k\nconsole=virtio");
	assert_true(m.virtio_console);
	bad("console=hvc", "console must be uart or virtio");
	assert_false(m.net);
	good("kernel=k\nnet=switch");
	assert_true(m.net);
	good("kernel=k\nnet=uplink");
	assert_int_equal(m.net, VM_NET_UPLINK);
	bad("net=up", "net must be none, switch or uplink");
	assert_int_equal(m.columns | m.rows, 0);
	good("kernel=k\nconsole_size=132x50");
	assert_int_equal(m.columns, 132);
	assert_int_equal(m.rows, 50);
	bad("console_size=0x5", "console_size must be columns and rows");
	bad("console_size=5x", "console_size must be");
	bad("console_size=5", "console_size must be");
	bad("console_size=65536x5", "console_size must be");
	bad("console_size=5x5x", "console_size must be");
	assert_false(m.virtio_mmio);
	good("kernel=k\nvirtio=mmio");
	assert_true(m.virtio_mmio);
	good("kernel=k\nvirtio=pci");
	assert_false(m.virtio_mmio);
	bad("virtio=isa", "virtio must be pci or mmio");
	bad("rings=round", "rings must be packed or split");
	assert_int_equal(m.balloon.steps, 0);
	bad("balloon=128M@5 64M", "balloon must be sizes with the seconds");
	good("kernel=k\nballoon=1M 128M@5 0@20");
	assert_int_equal(m.balloon.steps, 3);
	assert_int_equal(m.balloon.step[0].bytes, MB);
	assert_int_equal(m.balloon.step[0].seconds, 0);
	assert_int_equal(m.balloon.step[1].bytes, 128 * MB);
	assert_int_equal(m.balloon.step[1].seconds, 5);
	assert_int_equal(m.balloon.step[2].bytes, 0);
	bad("balloon=", "balloon must be");
	bad("balloon=1M@", "balloon must be");
	bad("balloon=1M@x", "balloon must be");
	bad("balloon=1M@5@6", "balloon must be");
	bad("balloon=1M@5x", "balloon must be");
	bad("balloon=1000", "balloon must be");
	bad("balloon=0 0 0 0 0 0 0 0 0", "balloon must be");
	bad("rng=maybe", "rng must be yes or no");
}

static void test_modules(void **state)
{
	char text[8192] = "kernel=k\n", args[300];

	(void)state;
	bad("module=", "module must be a module's name");
	bad("module= x", "module must be a module's name");
	memset(args, 'a', sizeof(args));
	args[255] = 0;
	snprintf(text, sizeof(text), "kernel=k\nmodule=m %s", args);
	good(text);
	assert_int_equal(strlen(m.module[0].args), 255);
	args[255] = 'a';
	args[256] = 0;
	snprintf(text, sizeof(text), "kernel=k\nmodule=m %s", args);
	bad(text, "at most 255 characters");
	snprintf(text, sizeof(text), "kernel=k\n");
	for (unsigned i = 0; i < LOADER_MODULES_MAX; i++)
		strcat(text, "module=m\n");
	good(text);
	assert_int_equal(m.modules, LOADER_MODULES_MAX);
	strcat(text, "module=m\n");
	bad(text, "line 34: module=m: module must be");
}

static void test_append(void **state)
{
	static char text[4096];

	(void)state;
	memcpy(text, "kernel=k\nappend=", 16);
	memset(text + 16, 'x', 2048);
	assert_int_equal(parse_bytes(text, 16 + 2047), OK);
	assert_int_equal(strlen(m.append), 2047);
	assert_int_not_equal(parse_bytes(text, 16 + 2048), OK);
	assert_non_null(strstr(err, "append must be at most 2047 characters"));
}

static void test_lines(void **state)
{
	(void)state;
	bad("kernel=k\nfoo", "VM file line 2: \"foo\" has no '=', expected key=value");
	bad("colour=red", "line 1: unknown key \"colour\", expected name, boot,");
	bad("=x", "unknown key \"\"");
	bad("mem =4M", "unknown key \"mem \"");
	bad("kernel=a\nkernel=b", "line 2: kernel is given twice");
	bad("", "names no kernel");
	bad("# kernel=k", "names no kernel");
	bad("kernel=k\nappend=a\x01z", "line 2 has the byte 0x01");
	bad("kernel=k\x7f", "line 1 has the byte 0x7f");
}

static void test_bytes_inside(void **state)
{
	(void)state;
	assert_int_not_equal(parse_bytes("kernel=a\0b", 10), OK);
	assert_non_null(strstr(err, "has the byte 0x00"));
	/* Padding behind the text is harmless. */
	assert_int_equal(parse_bytes("kernel=a\0\0", 10), OK);
	assert_string_equal(m.kernel, "a");
}

/* A long line is quoted in part, and the sentence always ends. */
static void test_long_quote(void **state)
{
	static char text[100000];

	(void)state;
	memset(text, 'q', sizeof(text));
	assert_int_not_equal(parse_bytes(text, sizeof(text)), OK);
	assert_true(strlen(err) < LOADER_ERR_MAX);
	assert_null(strstr(err, "qqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqq"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_defaults),
		cmocka_unit_test(test_all_keys),
		cmocka_unit_test(test_mem),
		cmocka_unit_test(test_words),
		cmocka_unit_test(test_vcpus),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_disks),
		cmocka_unit_test(test_modules),
		cmocka_unit_test(test_append),
		cmocka_unit_test(test_lines),
		cmocka_unit_test(test_bytes_inside),
		cmocka_unit_test(test_long_quote),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
