/* SPDX-License-Identifier: BSD-2-Clause */
/* What an emulated disk says of itself: IDENTIFY DEVICE. */
#include "hv/dev/ide.h"
#include "hv/lib/string.h"

#define HEADS	      16u
#define TRACK	      63u
#define CYLINDERS_MAX 16383u
#define LBA28_MAX     0x0ffffffful
#define MODEL	      "Triptych disk"
#define FIRMWARE      "1"
#define SERIAL_LEN    20u
#define FIRMWARE_LEN  8u
#define MODEL_LEN     40u
#define PIO_NS	      120u /* a cycle */
#define VALID	      BIT(14)
#define COMMANDS_2    (BIT(13) | BIT(12) | BIT(10)) /* both flushes, 48-bit addresses */
#define COMMANDS_1    BIT(5)			    /* write cache */

/* Two characters a word, the first in the high half, blanks behind them. */
static void put_text(u16 *words, const char *text, size_t len, size_t field)
{
	for (size_t i = 0; i < field; i++) {
		unsigned c = i < len ? (u8)text[i] : ' ';

		words[i / 2] = (u16)(i % 2 ? words[i / 2] | c : c << 8);
	}
}

static void put_number(u16 *words, u64 v, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		words[i] = (u16)(v >> 16 * i);
}

void ide_identify(const struct ide_drive *drive, u16 words[BLK_SECTOR / 2])
{
	const struct blk_backend *b = drive->backend;
	u64 cylinders = MIN(b->sectors / (HEADS * TRACK), (u64)CYLINDERS_MAX);

	memset(words, 0, BLK_SECTOR);
	words[0] = BIT(6); /* fixed */
	words[1] = (u16)cylinders;
	words[3] = HEADS;
	words[6] = TRACK;
	put_text(&words[10], b->id, strnlen(b->id, BLK_ID_MAX), SERIAL_LEN);
	put_text(&words[23], FIRMWARE, strlen(FIRMWARE), FIRMWARE_LEN);
	put_text(&words[27], MODEL, strlen(MODEL), MODEL_LEN);
	words[47] = (u16)(BIT(15) | IDE_MULTIPLE);
	words[49] = BIT(11) | BIT(9) | BIT(8); /* IORDY, LBA, DMA */
	words[50] = VALID;
	words[53] = BIT(1) | BIT(0); /* words 64-70 and 54-58 count */
	words[54] = (u16)cylinders;
	words[55] = HEADS;
	words[56] = TRACK;
	put_number(&words[57], cylinders * HEADS * TRACK, 2);
	words[59] = (u16)(drive->multiple ? BIT(8) | drive->multiple : 0);
	put_number(&words[60], MIN(b->sectors, LBA28_MAX), 2);
	words[63] = BIT(10) | BIT(2) | BIT(1) | BIT(0); /* multiword DMA 0 to 2; 2 is on */
	words[64] = BIT(1) | BIT(0);			/* PIO 3 and 4 */
	for (unsigned i = 65; i <= 68; i++)
		words[i] = PIO_NS;
	words[80] = BIT(6) | BIT(5) | BIT(4); /* ATA-4 to ATA/ATAPI-6 */
	words[82] = words[85] = COMMANDS_1;
	words[83] = VALID | COMMANDS_2;
	words[86] = COMMANDS_2;
	words[84] = words[87] = VALID;
	put_number(&words[100], b->sectors, 4);
	if (b->physical_exp)
		words[106] = (u16)(VALID | BIT(13) | b->physical_exp);
}
