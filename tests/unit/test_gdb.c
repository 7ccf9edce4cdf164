/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * gdb's protocol, by the bytes that go over the line, against the target of gdb_target.h.
 *
 * Sources: hv/ctl/gdb.c hv/ctl/gdb_commands.c hv/ctl/gdb_regs.c
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#define CHECK(x) assert_true(x)
#include "tests/unit/gdb_target.h"

static int setup(void **s)
{
	(void)s;
	target_begin();
	return 0;
}

static size_t frame(char *to, const char *body, size_t len)
{
	u8 sum = 0;

	to[0] = '$';
	memcpy(to + 1, body, len);
	for (size_t i = 0; i < len; i++)
		sum = (u8)(sum + (u8)body[i]);
	sprintf(to + 1 + len, "#%02x", sum);
	return len + 4;
}

/* A packet, and what is said to it, without the frame. */
static const char *ask_bytes(const char *body, size_t len)
{
	static char packet[3 * GDB_PACKET_MAX], want[2 * GDB_PACKET_MAX], reply[2 * GDB_PACKET_MAX];
	size_t n;

	target_hears(packet, frame(packet, body, len));
	if (t.out_len < 5)
		return t.out[0] == '+' ? "none" : "not even an ack";
	assert_int_equal(t.out[0], '+');
	assert_int_equal(t.out[1], '$');
	n = t.out_len - 5;
	memcpy(reply, t.out + 2, n);
	reply[n] = 0;
	frame(want, reply, n);
	assert_string_equal(t.out + 1, want); /* the checksum */
	return reply;
}

static const char *ask(const char *body)
{
	return ask_bytes(body, strlen(body));
}

static void test_packets(void **s)
{
	static const char bad[] = "$qC#00", twice[] = "$q$qC#b4", zeros[8];

	(void)s;
	assert_string_equal(ask("qC"), "QC1");
	target_hears(bad, strlen(bad));
	assert_string_equal(t.out, "-");
	target_hears("$qC#zz", 6);
	assert_string_equal(t.out, "-");
	/* A packet whose end was lost does not spoil the next. */
	target_hears(twice, strlen(twice));
	assert_string_equal(t.out, "+$QC1#c5");
	/* What stands between packets is nothing. */
	target_hears(zeros, sizeof(zeros));
	target_hears("+++\x03#00", 7);
	assert_string_equal(t.out, "");
	/* gdb did not understand. */
	target_hears("-", 1);
	assert_string_equal(t.out, "$QC1#c5");
	/* Byte by byte is the same. */
	for (const char *p = "$qC#b4"; *p; p++)
		gdb_receive(&t.gdb, (const u8 *)p, 1);
	assert_string_equal(t.out, "$QC1#c5+$QC1#c5");
}

static void test_no_acks(void **s)
{
	(void)s;
	assert_string_equal(ask("QStartNoAckMode"), "OK");
	target_hears("$qC#b4", 6);
	assert_string_equal(t.out, "$QC1#c5");
	target_hears("$qC#00-", 7);
	assert_string_equal(t.out, "");
	/* A new session begins with acknowledgements. */
	assert_non_null(strstr(ask("qSupported:swbreak+"), "PacketSize=1000;"));
	assert_string_equal(ask("qC"), "QC1");
}

static void test_too_long(void **s)
{
	static char body[GDB_PACKET_MAX + 1];

	(void)s;
	memset(body, 'a', sizeof(body));
	assert_string_equal(ask_bytes(body, GDB_PACKET_MAX), "");
	assert_string_equal(ask_bytes(body, GDB_PACKET_MAX + 1), "E.the packet is too long");
	for (unsigned i = 0; i < 1000; i++) /* without end */
		gdb_receive(&t.gdb, (const u8 *)body, sizeof(body));
	assert_string_equal(ask("qC"), "QC1");
}

static void test_unknown(void **s)
{
	static const char *const words[] = { "", "x", "vMustReplyEmpty", "qCRC:1,2", "g1", "kx",
		"R00", "!", "qTStatus", "vCont", "vContx" };

	(void)s;
	for (unsigned i = 0; i < ARRAY_SIZE(words) - 2; i++)
		assert_string_equal(ask(words[i]), "");
	assert_string_equal(ask("vCont"), "E01");
	assert_string_equal(ask("vContx"), "E01");
	assert_string_equal(ask("vCont?"), "vCont;c;C;s;S");
	assert_string_equal(ask("qAttached"), "1");
}

static void test_registers(void **s)
{
	char all[4096] = "G";
	const char *got;
	unsigned size = 0;

	(void)s;
	t.regs[0][GDB_RAX][0] = 0x12;
	t.regs[1][GDB_RAX][7] = 0x34;
	assert_string_equal(ask("p0"), "1200000000000000");
	assert_string_equal(ask("Hg2"), "OK");
	assert_string_equal(ask("p0"), "0000000000000034");
	assert_string_equal(ask("P10=8877665544332211"), "OK");
	assert_int_equal(t.regs[1][GDB_RIP][0], 0x88);
	assert_string_equal(ask("p3d"), "0000000000000000"); /* CR2 */
	for (unsigned r = 0; r < GDB_REGS; r++) {
		assert_in_range(gdb_reg_size(r), 1, GDB_REG_MAX);
		size += gdb_reg_size(r);
	}
	assert_int_equal(gdb_reg_size(GDB_REGS), 0);
	got = ask("g");
	assert_int_equal(strlen(got), 2 * size);
	assert_memory_equal(got, "0000000000000034", 16);
	/* All back again changes nothing, though not all could be written. */
	strcat(all, got);
	assert_string_equal(ask(all), "OK");
	all[1] = '5';
	assert_string_equal(ask(all), "OK");
	assert_int_equal(t.regs[1][GDB_RAX][0], 0x50);
	/* Fewer than there are: the others stay. */
	assert_string_equal(ask("G7700000000000000"), "OK");
	assert_int_equal(t.regs[1][GDB_RAX][0], 0x77);
	/* CR3, which cannot be written: only to what it is. */
	assert_string_equal(ask("P3e=0000000000000000"), "OK");
	assert_string_equal(ask("P3e=0100000000000000"), "E03");
}

static void test_wrong_registers(void **s)
{
	static const char *const bad[] = { "p", "pzz", "p42", "pffffffffffffffff",
		"p11111111111111111" };
	static const char *const malformed[] = { "P", "P0", "P0=", "P0=1234",
		"P42=1200000000000000", "P0=zz00000000000000", "G12", "Gzz" };

	(void)s;
	for (unsigned i = 0; i < ARRAY_SIZE(bad); i++)
		assert_string_equal(ask(bad[i]), "E02");
	for (unsigned i = 0; i < ARRAY_SIZE(malformed); i++)
		assert_string_equal(ask(malformed[i]), "E01");
}

static void test_memory(void **s)
{
	(void)s;
	t.memory[0] = 0xab;
	t.memory[MEMORY - 1] = 0xcd;
	assert_string_equal(ask("m1000,2"), "ab00");
	/* What is beyond the end is left out, and nothing at all is an error. */
	assert_string_equal(ask("m1ffe,10"), "00cd");
	assert_string_equal(ask("m2000,1"), "E02");
	assert_string_equal(ask("m0,1"), "E02");
	assert_string_equal(ask("m1000,0"), "");
	assert_string_equal(ask("mffffffffffffffff,ffffffffffffffff"), "E02");
	/* As much as a packet holds. */
	assert_in_range(strlen(ask("m1000,ffffffffffffffff")), 4000, GDB_PACKET_MAX);
	assert_string_equal(ask("M1004,2:beef"), "OK");
	assert_int_equal(t.memory[4], 0xbe);
	assert_int_equal(t.memory[5], 0xef);
	assert_string_equal(ask("M1fff,2:beef"), "E03");
	assert_string_equal(ask("M1004,2:be"), "E01");
	assert_string_equal(ask("M1004,ffffffffffffffff:be"), "E01");
	assert_string_equal(ask("M1004,8000000000000001:beef"), "E01");
	assert_string_equal(ask("M1004,2:bexx"), "E03");
	assert_string_equal(ask("m1000"), "E01");
	assert_string_equal(ask("m,1"), "E01");
}

/* '#', '$', '}' and '*' stand there as '}' and the byte, with bit 5 turned. */
static void test_binary(void **s)
{
	static const char data[] = "X1000,6:\0\x7f}\x03}\x04}]\xff", ask0[] = "X1000,0:";

	(void)s;
	assert_string_equal(ask_bytes(ask0, sizeof(ask0) - 1), "OK");
	assert_string_equal(ask_bytes(data, sizeof(data) - 1), "OK");
	assert_memory_equal(t.memory, "\0\x7f#$}\xff", 6);
	assert_string_equal(ask("X1000,2:a"), "E01");
	assert_string_equal(ask("X1fff,2:ab"), "E03");
}

static void test_points(void **s)
{
	(void)s;
	assert_string_equal(ask("Z0,1234,1"), "OK");
	assert_string_equal(ask("Z1,1235,1"), "OK");
	assert_string_equal(ask("Z2,1238,8"), "OK");
	assert_int_equal(t.points, 3);
	assert_int_equal(t.point[2].p, GDB_WATCH_WRITE);
	assert_int_equal(t.point[2].address, 0x1238);
	assert_int_equal(t.point[2].len, 8);
	assert_string_equal(ask("Z3,1238,8"), "");
	assert_string_equal(ask("Z5,1238,8"), "");
	assert_string_equal(ask("Z4,1238,8"), "OK");
	assert_string_equal(ask("Z4,1240,8"), "E03");
	assert_string_equal(ask("z4,1238,8"), "OK");
	assert_string_equal(ask("Z0,1234,1;X1,0"), ""); /* a condition */
	assert_string_equal(ask("Z0,1234"), "E01");
	assert_string_equal(ask("Z"), "E01");
	/* gdb goes, and comes again. */
	assert_non_null(strstr(ask("qSupported"), "PacketSize"));
	assert_int_equal(t.points, 0);
}

static void test_threads(void **s)
{
	(void)s;
	assert_string_equal(ask("qfThreadInfo"), "m1,2");
	assert_string_equal(ask("qsThreadInfo"), "l");
	assert_string_equal(ask("T2"), "OK");
	assert_string_equal(ask("T3"), "E02");
	assert_string_equal(ask("Tx"), "E02");
	assert_string_equal(ask("Hg3"), "E02");
	assert_string_equal(ask("Hx1"), "E02");
	assert_string_equal(ask("H"), "E02");
	assert_string_equal(ask("Hg-1"), "OK");
	/* "vcpu 1, halted" */
	assert_string_equal(ask("qThreadExtraInfo,2"), "7663707520312c2068616c746564");
	assert_string_equal(ask("qThreadExtraInfo,9"), "E02");
	assert_string_equal(ask("qThreadExtraInfo,"), "E02");
}

static void test_go(void **s)
{
	(void)s;
	assert_string_equal(ask("vCont;s:2;c"), "none");
	assert_int_equal(t.action[0], GDB_CONTINUE);
	assert_int_equal(t.action[1], GDB_STEP);
	assert_true(gdb_is_running(&t.gdb));
	target_stops(GDB_WHY_STOP, 1, 0);
	assert_non_null(strstr(t.out, "$T05"));
	assert_non_null(strstr(t.out, "thread:2;"));
	assert_string_equal(ask("qC"), "QC2");
	/* The first that names a thread counts; others stay. */
	assert_string_equal(ask("vCont;S05:2;c:2"), "none");
	assert_int_equal(t.action[0], GDB_STAY);
	assert_int_equal(t.action[1], GDB_STEP);
	target_stops(GDB_WHY_STOP, 1, 0);
	assert_string_equal(ask("Hc1"), "OK");
	assert_string_equal(ask("c"), "none");
	assert_int_equal(t.action[0], GDB_CONTINUE);
	assert_int_equal(t.action[1], GDB_STAY);
	target_stops(GDB_WHY_STOP, 0, 0);
	assert_string_equal(ask("Hc-1"), "OK");
	assert_string_equal(ask("s"), "none");
	assert_int_equal(t.action[0], GDB_STEP);
	assert_int_equal(t.action[1], GDB_CONTINUE);
	target_stops(GDB_WHY_STOP, 0, 0);
	assert_int_equal(t.resumed, 4);
}

static void test_wrong_go(void **s)
{
	static const char *const bad[] = { "vCont;", "vCont;x", "vCont;c:3", "vCont;c:", "vCont;C",
		"vCont;c;;", "c1000", "s1000" };

	(void)s;
	for (unsigned i = 0; i < ARRAY_SIZE(bad); i++)
		assert_string_equal(ask(bad[i]), "E01");
	assert_int_equal(t.resumed, 0);
}

static void test_reasons(void **s)
{
	static const struct {
		enum gdb_why why;
		const char *with, *without;
	} rows[] = {
		{ GDB_WHY_STOP, "$T0506:", "$T0506:" },
		{ GDB_WHY_ASKED, "$T0206:", "$T0206:" },
		{ GDB_WHY_BREAK_SOFT, "$T05swbreak:;06:", "$T0506:" },
		{ GDB_WHY_BREAK_HARD, "$T05hwbreak:;06:", "$T0506:" },
		{ GDB_WHY_WATCH_WRITE, "$T05watch:1abc;06:", "$T05watch:1abc;06:" },
		{ GDB_WHY_WATCH_ACCESS, "$T05awatch:1abc;06:", "$T05awatch:1abc;06:" },
	};

	(void)s;
	for (unsigned i = 0; i < 2 * ARRAY_SIZE(rows); i++) {
		const char *want = i & 1 ? rows[i / 2].with : rows[i / 2].without;

		ask(i & 1 ? "qSupported:x+;swbreak+;hwbreak+" : "qSupported:xswbreak+;hwbreak-");
		ask("c");
		target_stops(rows[i / 2].why, 0, 0x1abc);
		assert_memory_equal(t.out, want, strlen(want));
	}
	/* The last one is there to be asked for. */
	assert_memory_equal(ask("?"), "T05awatch:1abc;", 15);
}

static void test_interrupt(void **s)
{
	(void)s;
	ask("c");
	target_hears("\x03", 1);
	assert_int_equal(t.stops, 1);
	assert_string_equal(t.out, "");
	target_stops(GDB_WHY_ASKED, 0, 0);
	assert_memory_equal(t.out, "$T02", 4);
	/* When it stands still there is nothing to stop. */
	target_hears("\x03", 1);
	assert_int_equal(t.stops, 1);
}

/* A gdb whose connection is gone leaves the target running; the next one begins anew. */
static void test_new_session_while_running(void **s)
{
	(void)s;
	ask("QStartNoAckMode");
	target_hears("$c#63", 5);
	assert_string_equal(ask("qSupported:swbreak+"), "none");
	assert_int_equal(t.stops, 1);
	target_hears("$qC#b4\x03", 7); /* it should wait for its answer */
	assert_string_equal(t.out, "");
	target_stops(GDB_WHY_ASKED, 1, 0);
	assert_memory_equal(t.out, "$PacketSize", 11);
	assert_memory_equal(ask("?"), "T02", 3);
	assert_string_equal(ask("qC"), "QC2");
}

static void test_detach(void **s)
{
	(void)s;
	ask("Z0,1234,1");
	assert_string_equal(ask("D"), "OK");
	assert_int_equal(t.points, 0);
	assert_int_equal(t.resumed, 1);
	assert_int_equal(t.action[1], GDB_CONTINUE);
	assert_true(gdb_is_running(&t.gdb));
	/* Nobody waits for this. */
	target_stops(GDB_WHY_STOP, 0, 0);
	assert_string_equal(t.out, "");
}

static void test_end(void **s)
{
	(void)s;
	ask("c");
	target_ends(0);
	assert_string_equal(t.out, "$W00#b7");
	assert_string_equal(ask("?"), "W00");
	assert_string_equal(ask("g"), "E04");
	assert_string_equal(ask("qSupported"), "E04");
	assert_string_equal(ask("c"), "E04");
	assert_string_equal(ask("D"), "E04");
	assert_int_equal(t.resumed, 1);
}

static void test_crash_and_kill(void **s)
{
	(void)s;
	assert_string_equal(ask("vKill;1"), "OK");
	assert_int_equal(t.kills, 1);
	target_ends(1);
	assert_string_equal(ask("?"), "X06");
	setup(NULL);
	assert_string_equal(ask("k"), "none");
	assert_int_equal(t.kills, 1);
}

/* In pieces of any size it is the same document, and names all registers in their order. */
static void test_description(void **s)
{
	static char whole[3][16384];
	static const unsigned piece[] = { 0xfff, 0x100, 1 };
	char request[64];
	const char *at, *got;
	unsigned regs = 0, bits = 0;

	(void)s;
	for (unsigned i = 0; i < ARRAY_SIZE(piece); i++) {
		size_t n = 0;

		do {
			sprintf(request, "qXfer:features:read:target.xml:%zx,%x", n, piece[i]);
			got = ask(request);
			assert_true(got[0] == 'm' || got[0] == 'l');
			memcpy(whole[i] + n, got + 1, strlen(got + 1));
			n += strlen(got + 1);
			assert_true(n < sizeof(whole[0]));
		} while (got[0] == 'm');
		assert_string_equal(whole[i], whole[0]);
	}
	for (at = whole[0]; (at = strstr(at, "<reg ")); at++, regs++) {
		unsigned size;

		assert_int_equal(sscanf(strstr(at, "bitsize"), "bitsize=\"%u\"", &size), 1);
		assert_int_equal(size, 8 * gdb_reg_size(regs));
		bits += size;
	}
	assert_int_equal(regs, GDB_REGS);
	assert_int_equal(strlen(ask("g")) * 4, bits);
	assert_string_equal(ask("qXfer:features:read:target.xml:ffffffffffffffff,100"), "l");
	assert_string_equal(ask("qXfer:features:read:other.xml:0,100"), "E00");
	assert_string_equal(ask("qXfer:features:read:target.xml:0"), "E00");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_packets, setup),
		cmocka_unit_test_setup(test_no_acks, setup),
		cmocka_unit_test_setup(test_too_long, setup),
		cmocka_unit_test_setup(test_unknown, setup),
		cmocka_unit_test_setup(test_registers, setup),
		cmocka_unit_test_setup(test_wrong_registers, setup),
		cmocka_unit_test_setup(test_memory, setup),
		cmocka_unit_test_setup(test_binary, setup),
		cmocka_unit_test_setup(test_points, setup),
		cmocka_unit_test_setup(test_threads, setup),
		cmocka_unit_test_setup(test_go, setup),
		cmocka_unit_test_setup(test_wrong_go, setup),
		cmocka_unit_test_setup(test_reasons, setup),
		cmocka_unit_test_setup(test_interrupt, setup),
		cmocka_unit_test_setup(test_new_session_while_running, setup),
		cmocka_unit_test_setup(test_detach, setup),
		cmocka_unit_test_setup(test_end, setup),
		cmocka_unit_test_setup(test_crash_and_kill, setup),
		cmocka_unit_test_setup(test_description, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
