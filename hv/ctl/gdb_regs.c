/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The registers, and their description for gdb: an XML document with the features that gdb's
 * i386:x86-64 insists on, and one of our own. Source: "Debugging with GDB", appendix "Target
 * Descriptions", sections "Target Description Format" and "i386 Features".
 */
#include "hv/ctl/gdb_priv.h"
#include "hv/lib/printf.h"
#include "hv/lib/string.h"

#define OFFSET_MAX (1ul << 32) /* beyond the end of any description */

/* Registers that are described by one line; those of a run are numbered in their names. */
struct row {
	enum gdb_reg first, last;
	unsigned size;	  /* bytes */
	const char *name; /* with %u for the number in a run */
	unsigned number;  /* of the first in the run */
	const char *type;
	const char *feature; /* begins with this one */
};

static const struct row rows[] = {
	{ GDB_RAX, GDB_RAX, 8, "rax", 0, "int64", "org.gnu.gdb.i386.core" },
	{ GDB_RBX, GDB_RBX, 8, "rbx", 0, "int64", NULL },
	{ GDB_RCX, GDB_RCX, 8, "rcx", 0, "int64", NULL },
	{ GDB_RDX, GDB_RDX, 8, "rdx", 0, "int64", NULL },
	{ GDB_RSI, GDB_RSI, 8, "rsi", 0, "int64", NULL },
	{ GDB_RDI, GDB_RDI, 8, "rdi", 0, "int64", NULL },
	{ GDB_RBP, GDB_RBP, 8, "rbp", 0, "data_ptr", NULL },
	{ GDB_RSP, GDB_RSP, 8, "rsp", 0, "data_ptr", NULL },
	{ GDB_R8, GDB_R15, 8, "r%u", 8, "int64", NULL },
	{ GDB_RIP, GDB_RIP, 8, "rip", 0, "code_ptr", NULL },
	{ GDB_EFLAGS, GDB_EFLAGS, 4, "eflags", 0, "i386_eflags", NULL },
	{ GDB_CS, GDB_CS, 4, "cs", 0, "int32", NULL },
	{ GDB_SS, GDB_SS, 4, "ss", 0, "int32", NULL },
	{ GDB_DS, GDB_DS, 4, "ds", 0, "int32", NULL },
	{ GDB_ES, GDB_ES, 4, "es", 0, "int32", NULL },
	{ GDB_FS, GDB_FS, 4, "fs", 0, "int32", NULL },
	{ GDB_GS, GDB_GS, 4, "gs", 0, "int32", NULL },
	{ GDB_ST0, GDB_ST7, 10, "st%u", 0, "i387_ext", NULL },
	{ GDB_FCTRL, GDB_FCTRL, 4, "fctrl", 0, "int", NULL },
	{ GDB_FSTAT, GDB_FSTAT, 4, "fstat", 0, "int", NULL },
	{ GDB_FTAG, GDB_FTAG, 4, "ftag", 0, "int", NULL },
	{ GDB_FISEG, GDB_FISEG, 4, "fiseg", 0, "int", NULL },
	{ GDB_FIOFF, GDB_FIOFF, 4, "fioff", 0, "int", NULL },
	{ GDB_FOSEG, GDB_FOSEG, 4, "foseg", 0, "int", NULL },
	{ GDB_FOOFF, GDB_FOOFF, 4, "fooff", 0, "int", NULL },
	{ GDB_FOP, GDB_FOP, 4, "fop", 0, "int", NULL },
	{ GDB_XMM0, GDB_XMM15, 16, "xmm%u", 0, "vec128", "org.gnu.gdb.i386.sse" },
	{ GDB_MXCSR, GDB_MXCSR, 4, "mxcsr", 0, "int", NULL },
	{ GDB_FS_BASE, GDB_FS_BASE, 8, "fs_base", 0, "int64", "org.gnu.gdb.i386.segments" },
	{ GDB_GS_BASE, GDB_GS_BASE, 8, "gs_base", 0, "int64", NULL },
	{ GDB_KERNEL_GS_BASE, GDB_KERNEL_GS_BASE, 8, "k_gs_base", 0, "int64", "triptych.system" },
	{ GDB_CR0, GDB_CR0, 8, "cr0", 0, "int64", NULL },
	{ GDB_CR2, GDB_CR2, 8, "cr2", 0, "int64", NULL },
	{ GDB_CR3, GDB_CR3, 8, "cr3", 0, "int64", NULL },
	{ GDB_CR4, GDB_CR4, 8, "cr4", 0, "int64", NULL },
	{ GDB_CR8, GDB_CR8, 8, "cr8", 0, "int64", NULL },
	{ GDB_EFER, GDB_EFER, 8, "efer", 0, "int64", NULL },
};

/* Types that a feature's registers have and gdb does not know by itself. */
static const struct {
	const char *feature, *text;
} types[] = {
	{ "org.gnu.gdb.i386.core",
		"<flags id=\"i386_eflags\" size=\"4\">"
		"<field name=\"CF\" start=\"0\" end=\"0\"/><field name=\"\" start=\"1\" end=\"1\"/>"
		"<field name=\"PF\" start=\"2\" end=\"2\"/><field name=\"AF\" start=\"4\" "
		"end=\"4\"/>"
		"<field name=\"ZF\" start=\"6\" end=\"6\"/><field name=\"SF\" start=\"7\" "
		"end=\"7\"/>"
		"<field name=\"TF\" start=\"8\" end=\"8\"/><field name=\"IF\" start=\"9\" "
		"end=\"9\"/>"
		"<field name=\"DF\" start=\"10\" end=\"10\"/><field name=\"OF\" start=\"11\" "
		"end=\"11\"/><field name=\"NT\" start=\"14\" end=\"14\"/>"
		"<field name=\"RF\" start=\"16\" end=\"16\"/><field name=\"VM\" start=\"17\" "
		"end=\"17\"/><field name=\"AC\" start=\"18\" end=\"18\"/>"
		"<field name=\"VIF\" start=\"19\" end=\"19\"/><field name=\"VIP\" start=\"20\" "
		"end=\"20\"/><field name=\"ID\" start=\"21\" end=\"21\"/></flags>\n" },
	{ "org.gnu.gdb.i386.sse",
		"<vector id=\"v4f\" type=\"ieee_single\" count=\"4\"/>"
		"<vector id=\"v2d\" type=\"ieee_double\" count=\"2\"/>"
		"<vector id=\"v16i8\" type=\"int8\" count=\"16\"/>"
		"<vector id=\"v8i16\" type=\"int16\" count=\"8\"/>"
		"<vector id=\"v4i32\" type=\"int32\" count=\"4\"/>"
		"<vector id=\"v2i64\" type=\"int64\" count=\"2\"/>"
		"<union id=\"vec128\"><field name=\"v4_float\" type=\"v4f\"/>"
		"<field name=\"v2_double\" type=\"v2d\"/><field name=\"v16_int8\" type=\"v16i8\"/>"
		"<field name=\"v8_int16\" type=\"v8i16\"/><field name=\"v4_int32\" type=\"v4i32\"/>"
		"<field name=\"v2_int64\" type=\"v2i64\"/><field name=\"uint128\" "
		"type=\"uint128\"/>"
		"</union>\n" },
};

unsigned gdb_reg_size(enum gdb_reg r)
{
	for (unsigned i = 0; i < ARRAY_SIZE(rows); i++)
		if (r >= rows[i].first && r <= rows[i].last)
			return rows[i].size;
	return 0;
}

/* The part of a text, which is written as a whole, that was asked for. */
struct window {
	struct gdb *g;
	u64 at, from, to; /* at: what was written so far */
};

static void emit(struct window *w, const char *s)
{
	for (; *s; s++, w->at++)
		if (w->at >= w->from && w->at < w->to)
			gdb_put(w->g, (u8)*s);
}

static void emit_feature(struct window *w, const struct row *r)
{
	if (r != rows)
		emit(w, "</feature>\n");
	emit(w, "<feature name=\"");
	emit(w, r->feature);
	emit(w, "\">\n");
	for (unsigned i = 0; i < ARRAY_SIZE(types); i++)
		if (!strcmp(types[i].feature, r->feature))
			emit(w, types[i].text);
}

static void emit_row(struct window *w, const struct row *r)
{
	char name[16], line[96];

	if (r->feature)
		emit_feature(w, r);
	for (unsigned i = 0; i <= (unsigned)(r->last - r->first); i++) {
		if (r->last == r->first)
			snprintf(name, sizeof(name), "%s", r->name);
		else
			snprintf(name, sizeof(name), "%.*s%u", (int)strlen(r->name) - 2, r->name,
				r->number + i);
		snprintf(line, sizeof(line), "<reg name=\"%s\" bitsize=\"%u\" type=\"%s\"/>\n",
			name, r->size * 8, r->type);
		emit(w, line);
	}
}

bool gdb_put_description(struct gdb *g, u64 offset, u64 len)
{
	struct window w = { .g = g };

	w.from = MIN(offset, OFFSET_MAX);
	w.to = w.from + MIN(len, gdb_room(g));
	emit(&w, "<?xml version=\"1.0\"?>\n<!DOCTYPE target SYSTEM \"gdb-target.dtd\">\n"
		 "<target version=\"1.0\"><architecture>i386:x86-64</architecture>\n");
	for (unsigned i = 0; i < ARRAY_SIZE(rows); i++)
		emit_row(&w, &rows[i]);
	emit(&w, "</feature>\n</target>\n");
	return w.at > w.to;
}
