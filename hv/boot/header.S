/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The Multiboot2 header ("OS image format"): what we ask of the boot loader. Modules on page
 * boundaries; no framebuffer, so that the screen stays as it is.
 */
#define MB2_HEADER_MAGIC   0xe85250d6
#define MB2_ARCH_I386      0
#define MB2_TAG_END        0
#define MB2_TAG_INFO       1
#define MB2_TAG_ALIGN      6
#define MB2_TAG_OPTIONAL   1
#define MB2_INFO_CMDLINE   1
#define MB2_INFO_MODULE    3
#define MB2_INFO_MMAP      6

	.section .boot.header, "a"
	.balign 8
header:
	.long	MB2_HEADER_MAGIC
	.long	MB2_ARCH_I386
	.long	header_end - header
	.long	-(MB2_HEADER_MAGIC + MB2_ARCH_I386 + (header_end - header))

	.balign 8
info:
	.word	MB2_TAG_INFO, 0
	.long	info_end - info
	.long	MB2_INFO_CMDLINE, MB2_INFO_MODULE, MB2_INFO_MMAP
info_end:

	.balign 8
	.word	MB2_TAG_ALIGN, MB2_TAG_OPTIONAL
	.long	8

	.balign 8
	.word	MB2_TAG_END, 0
	.long	8
header_end:

	.section .note.GNU-stack, "", @progbits
