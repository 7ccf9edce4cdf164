# SPDX-License-Identifier: BSD-2-Clause
# One Makefile, not recursive. `make help` lists the targets.

.DEFAULT_GOAL := all
.DELETE_ON_ERROR:
MAKEFLAGS += --no-builtin-rules
SHELL := /bin/bash

B := build
PYTHON := /usr/bin/python3

CROSS_COMPILE ?=
CC      := $(CROSS_COMPILE)gcc
LD      := $(CROSS_COMPILE)ld
OBJCOPY := $(CROSS_COMPILE)objcopy
NM      := $(CROSS_COMPILE)nm
HOSTCC  ?= gcc

# ---- the hypervisor ------------------------------------------------------------------------------

HV_DIRS := hv/boot hv/cpu hv/mem hv/lib hv/vm hv/mmu hv/emul hv/dev hv/drv hv/ctl vmx ept virtio
HV_C    := $(sort $(foreach d,$(HV_DIRS),$(wildcard $(d)/*.c)))
HV_S    := $(sort $(foreach d,$(HV_DIRS),$(wildcard $(d)/*.S)))
HV_OBJS := $(HV_C:%.c=$(B)/%.o) $(HV_S:%.S=$(B)/%.S.o)

WARN := -Wall -Wextra -Werror -Wconversion -Wshadow -Wstrict-prototypes -Wmissing-prototypes \
	-Wmissing-declarations -Wpointer-arith -Wcast-qual -Wundef -Wvla -Wwrite-strings -Wformat=2 \
	-Wimplicit-fallthrough -Wnull-dereference -Wduplicated-cond -Wlogical-op -Wno-sign-conversion

HV_CFLAGS := -std=gnu11 -O2 -g -ffreestanding -fno-builtin-printf -mgeneral-regs-only -mno-red-zone \
	-mcmodel=kernel -fno-pic -fno-pie -fno-strict-aliasing -fno-common -fno-omit-frame-pointer \
	-fstack-protector-strong -mstack-protector-guard=global -ffunction-sections -fdata-sections \
	-fno-asynchronous-unwind-tables -fcf-protection=none $(WARN) -I. -I$(B)
HV_LDFLAGS := -nostdlib -static -z max-page-size=4096 -z noexecstack --no-warn-rwx-segments --gc-sections --build-id=none

# ---- ACPI tables ---------------------------------------------------------------------------------

IASL := iasl
HV_OBJS += $(B)/hv/dev/dsdt.o

# iasl writes the table as a C array; ours is const and has its size beside it.
$(B)/hv/dev/dsdt.c: hv/dev/dsdt.asl
	@mkdir -p $(@D)
	@echo "  IASL    $<"
	@$(IASL) -we -vs -tc -p $(B)/hv/dev/dsdt $< > $(B)/hv/dev/dsdt.log 2>&1 || { cat $(B)/hv/dev/dsdt.log; exit 1; }
	@{ echo '#include "hv/dev/acpi.h"'; \
	   sed -e '/^\/\*/,/\*\//d' -e '/^#/d' \
	       -e 's/^unsigned char .*/const u8 dsdt_aml[] =/' $(B)/hv/dev/dsdt.hex; \
	   echo 'const u32 dsdt_aml_size = sizeof(dsdt_aml);'; } > $@

$(B)/hv/dev/dsdt.o: $(B)/hv/dev/dsdt.c
	@$(CC) $(HV_CFLAGS) -MMD -MP -c -o $@ $<

.PHONY: all
all: $(B)/triptych.elf

$(B)/%.o: %.c
	@mkdir -p $(@D)
	@echo "  CC      $<"
	@$(CC) $(HV_CFLAGS) -MMD -MP -c -o $@ $<

$(B)/%.S.o: %.S
	@mkdir -p $(@D)
	@echo "  AS      $<"
	@$(CC) $(HV_CFLAGS) -D__ASSEMBLY__ -MMD -MP -c -o $@ $<

# The path of every exit (see vmx/quick.c): without the registers that entry.S has not saved, without a
# frame pointer (entry.S keeps none either) and a stack protector (there is no array to run over).
$(B)/vmx/quick.o: HV_CFLAGS += -ffixed-r8 -ffixed-r9 -ffixed-r10 -ffixed-r11 -mpreferred-stack-boundary=3 \
	-fomit-frame-pointer -fno-stack-protector

-include $(HV_OBJS:.o=.d)

# Linked twice: the first link, with an empty symbol table, yields the addresses of the functions; the
# second has their names in it. The table stands behind the code, so that no function moves.
HV_LINK = $(LD) $(HV_LDFLAGS) -T hv/boot/link.ld -o

$(B)/symtab0.S:
	@mkdir -p $(@D)
	@$(PYTHON) scripts/symtab </dev/null >$@

$(B)/triptych.pass1: $(HV_OBJS) $(B)/symtab0.S.o hv/boot/link.ld
	@$(HV_LINK) $@ $(HV_OBJS) $(B)/symtab0.S.o

$(B)/symtab.S: $(B)/triptych.pass1 scripts/symtab
	@$(NM) -n $< | $(PYTHON) scripts/symtab >$@

$(B)/symtab0.S.o $(B)/symtab.S.o: $(B)/%.S.o: $(B)/%.S
	@$(CC) $(HV_CFLAGS) -D__ASSEMBLY__ -c -o $@ $<

$(B)/triptych.elf: $(HV_OBJS) $(B)/symtab.S.o hv/boot/link.ld
	@echo "  LD      $@"
	@$(HV_LINK) $@ $(HV_OBJS) $(B)/symtab.S.o

# ---- generated documentation --------------------------------------------------------------------

# The emulations that the table of MSRs names are linked in, and never called.
PLATFORM_TABLES := scripts/platform-tables.c hv/vm/cpuid_bits.c hv/vm/msr.c hv/vm/msr_mtrr.c hv/vm/msr_kvm.c

.PHONY: docs
docs: docs/cpuid-msr.md

docs/cpuid-msr.md: $(PLATFORM_TABLES) hv/vm/cpuid.h hv/vm/msr.h hv/vm/msr_emul.h
	@mkdir -p $(@D) $(B)
	@echo "  DOC     $@"
	@$(HOSTCC) -std=gnu11 -I. -static -Wl,--unresolved-symbols=ignore-all -o $(B)/platform-tables $(PLATFORM_TABLES)
	@$(B)/platform-tables > $@

.PHONY: clean help
clean:
	rm -rf $(B)
