/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Formatted output: parse one conversion into a struct spec, render it, pad it. Text goes through
 * put(), the only place that knows how long the buffer is.
 */
#include "hv/lib/printf.h"
#include "hv/lib/string.h"

#define DIGITS_MAX 22 /* a 64-bit number in octal */

struct out {
	char *buf;
	size_t size; /* of buf */
	size_t len;  /* of the whole text, whether it fits or not */
};

struct spec {
	bool left, zero, alt, plus, space;
	int width;
	int precision; /* -1: none given */
	enum {
		LEN_INT,
		LEN_CHAR,
		LEN_SHORT,
		LEN_LONG
	} length;
	char conv;
};

static void put(struct out *o, char c)
{
	if (o->len + 1 < o->size)
		o->buf[o->len] = c;
	o->len++;
}

static void pad(struct out *o, char c, int n)
{
	while (n-- > 0)
		put(o, c);
}

static void put_text(struct out *o, const char *s, size_t n)
{
	for (size_t i = 0; i < n; i++)
		put(o, s[i]);
}

static const char *parse_flags(const char *p, struct spec *s)
{
	for (;; p++) {
		switch (*p) {
		case '-': s->left = true; break;
		case '0': s->zero = true; break;
		case '#': s->alt = true; break;
		case '+': s->plus = true; break;
		case ' ': s->space = true; break;
		default: return p;
		}
	}
}

#define NUMBER_MAX 65535 /* of a width or a precision: beyond it, digits are ignored */

static const char *parse_number(const char *p, int *value)
{
	*value = 0;
	for (; *p >= '0' && *p <= '9'; p++) {
		if (*value <= NUMBER_MAX)
			*value = *value * 10 + (*p - '0');
	}
	return p;
}

static const char *parse_length(const char *p, struct spec *s)
{
	s->length = LEN_INT;
	if (*p == 'h') {
		s->length = p[1] == 'h' ? LEN_CHAR : LEN_SHORT;
		return p + (p[1] == 'h' ? 2 : 1);
	}
	if (*p == 'l' || *p == 'z') {
		s->length = LEN_LONG;
		return p + (p[0] == 'l' && p[1] == 'l' ? 2 : 1);
	}
	return p;
}

/* From behind the '%' to behind the conversion's letter (or to the end of a cut-off format). */
static const char *parse(const char *p, struct spec *s, va_list *ap)
{
	*s = (struct spec){ .precision = -1 };
	p = parse_flags(p, s);
	if (*p == '*') {
		s->width = va_arg(*ap, int);
		p++;
		if (s->width < 0) {
			s->left = true;
			s->width = s->width == -__INT_MAX__ - 1 ? __INT_MAX__ : -s->width;
		}
	} else {
		p = parse_number(p, &s->width);
	}
	if (*p == '.') {
		if (*++p == '*') {
			s->precision = va_arg(*ap, int);
			p++;
		} else {
			p = parse_number(p, &s->precision);
		}
	}
	p = parse_length(p, s);
	s->conv = *p;
	return *p ? p + 1 : p;
}

static u64 fetch_unsigned(const struct spec *s, va_list *ap)
{
	if (s->length == LEN_LONG)
		return va_arg(*ap, unsigned long);

	unsigned v = va_arg(*ap, unsigned);

	if (s->length == LEN_CHAR)
		return (u8)v;
	return s->length == LEN_SHORT ? (u16)v : v;
}

static s64 fetch_signed(const struct spec *s, va_list *ap)
{
	if (s->length == LEN_LONG)
		return va_arg(*ap, long);

	int v = va_arg(*ap, int);

	if (s->length == LEN_CHAR)
		return (s8)v;
	return s->length == LEN_SHORT ? (s16)v : v;
}

/* Writes the digits of v backwards, ending before `end`; returns how many. */
static int digits(u64 v, unsigned base, bool upper, char *end)
{
	const char *set = upper ? "0123456789ABCDEF" : "0123456789abcdef";
	int n = 0;

	for (; v; v /= base, n++)
		*--end = set[v % base];
	return n;
}

static void put_number(
	struct out *o, const struct spec *s, u64 v, unsigned base, const char *prefix)
{
	char text[DIGITS_MAX];
	int n = digits(v, base, s->conv == 'X', text + sizeof(text));
	int prefix_len = (int)strlen(prefix);
	int least = s->precision < 0 ? 1 : s->precision; /* digits to show at least */
	int zeros = MAX(least - n, 0);

	if (s->alt && base == 8 && !zeros)
		zeros = 1;
	if (s->zero && !s->left && s->precision < 0)
		zeros = MAX(zeros, s->width - prefix_len - n);

	int fill = s->width - prefix_len - zeros - n;

	if (!s->left)
		pad(o, ' ', fill);
	put_text(o, prefix, (size_t)prefix_len);
	pad(o, '0', zeros);
	put_text(o, text + sizeof(text) - n, (size_t)n);
	if (s->left)
		pad(o, ' ', fill);
}

static void put_signed(struct out *o, const struct spec *s, s64 v)
{
	u64 magnitude = v < 0 ? 0 - (u64)v : (u64)v;

	put_number(o, s, magnitude, 10, v < 0 ? "-" : s->plus ? "+" : s->space ? " " : "");
}

static void put_string(struct out *o, const struct spec *s, const char *str)
{
	size_t max = s->precision < 0 ? SIZE_MAX : (size_t)s->precision;
	size_t n;

	if (!str)
		str = "(null)";
	n = strnlen(str, max);

	int fill = n < (size_t)s->width ? s->width - (int)n : 0;

	if (!s->left)
		pad(o, ' ', fill);
	put_text(o, str, n);
	if (s->left)
		pad(o, ' ', fill);
}

static void convert(struct out *o, const struct spec *s, va_list *ap)
{
	u64 v;
	char c;

	switch (s->conv) {
	case 'd':
	case 'i': put_signed(o, s, fetch_signed(s, ap)); break;
	case 'u': put_number(o, s, fetch_unsigned(s, ap), 10, ""); break;
	case 'o': put_number(o, s, fetch_unsigned(s, ap), 8, ""); break;
	case 'x':
	case 'X':
		v = fetch_unsigned(s, ap);
		put_number(o, s, v, 16, !s->alt || !v ? "" : s->conv == 'x' ? "0x" : "0X");
		break;
	case 'p': put_number(o, s, (u64)va_arg(*ap, void *), 16, "0x"); break;
	case 'c':
		c = (char)va_arg(*ap, int);
		pad(o, ' ', s->left ? 0 : s->width - 1);
		put(o, c);
		pad(o, ' ', s->left ? s->width - 1 : 0);
		break;
	case 's': put_string(o, s, va_arg(*ap, const char *)); break;
	case '%': put(o, '%'); break;
	case '\0': break;
	default: /* Not ours: shown as it stands. */ put(o, '%'); put(o, s->conv);
	}
}

int vsnprintf(char *buf, size_t size, const char *fmt, va_list ap)
{
	struct out o = { .buf = buf, .size = size };
	struct spec s;
	va_list args;

	va_copy(args, ap);
	while (*fmt) {
		if (*fmt != '%') {
			put(&o, *fmt++);
			continue;
		}
		fmt = parse(fmt + 1, &s, &args);
		convert(&o, &s, &args);
	}
	va_end(args);
	if (size)
		buf[MIN(o.len, size - 1)] = '\0';
	return (int)o.len;
}

int snprintf(char *buf, size_t size, const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(buf, size, fmt, ap);
	va_end(ap);
	return n;
}
