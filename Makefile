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

HV_DIRS := hv/blk hv/boot hv/cpu hv/mem hv/lib hv/net hv/vm hv/mmu hv/emul hv/dev hv/drv hv/ctl vmx ept virtio
HV_C    := $(sort $(foreach d,$(HV_DIRS),$(wildcard $(d)/*.c)))
HV_S    := $(sort $(foreach d,$(HV_DIRS),$(wildcard $(d)/*.S)))
HV_OBJS := $(HV_C:%.c=$(B)/%.o) $(HV_S:%.S=$(B)/%.S.o)

WARN := -Wall -Wextra -Werror -Wconversion -Wshadow -Wstrict-prototypes -Wmissing-prototypes \
	-Wmissing-declarations -Wpointer-arith -Wcast-qual -Wundef -Wvla -Wwrite-strings -Wformat=2 \
	-Wimplicit-fallthrough -Wnull-dereference -Wduplicated-cond -Wlogical-op -Wno-sign-conversion

# A commit gives the same files wherever its tree lies. GRUB loads debugging information too: the length of a path in it would
# shift every tick behind that.
ANYWHERE := -ffile-prefix-map=$(CURDIR)=.

HV_CFLAGS := -std=gnu11 -O2 -g $(ANYWHERE) -ffreestanding -fno-builtin-printf -mgeneral-regs-only -mno-red-zone \
	-mcmodel=kernel -fno-pic -fno-pie -fno-strict-aliasing -fno-common -fno-omit-frame-pointer \
	-fstack-protector-strong -mstack-protector-guard=global -ffunction-sections -fdata-sections \
	-fno-asynchronous-unwind-tables -fcf-protection=none $(WARN) -I. -I$(B)
# COUNTING=1: VMREADs and VMWRITEs are counted, at an instruction each (vmx/insn.h).
ifdef COUNTING
HV_CFLAGS += -DVMX_COUNTING
endif
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
all: $(B)/triptych.elf $(B)/triptych.iso $(B)/same-numbers.so

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
$(B)/vmx/quick.o: HV_CFLAGS += -ffixed-r8 -ffixed-r9 -ffixed-r10 -ffixed-r11 -ffixed-r12 -ffixed-r13 -ffixed-r14 \
	-ffixed-r15 -ffixed-rbp -mpreferred-stack-boundary=3 -fomit-frame-pointer -fno-stack-protector

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

# The hypervisor that counts VMREADs and VMWRITEs: scripts/triptych run --hypervisor build/counting/triptych.elf
.PHONY: counting
counting:
	@$(MAKE) --no-print-directory B=$(B)/counting COUNTING=1 $(B)/counting/triptych.elf

# ---- generated documentation --------------------------------------------------------------------

# The emulations that the table of MSRs names are linked in, and never called.
PLATFORM_TABLES := scripts/platform-tables.c hv/vm/cpuid_bits.c hv/vm/msr.c hv/vm/msr_mtrr.c hv/vm/msr_immune.c \
	hv/vm/msr_kvm.c

DOC := docs/cpuid-msr.md

$(B)/cpuid-msr.md: $(PLATFORM_TABLES) hv/vm/cpuid.h hv/vm/msr.h hv/vm/msr_emul.h
	@mkdir -p $(@D)
	@echo "  DOC     $@"
	@$(HOSTCC) -std=gnu11 -I. -static -Wl,--unresolved-symbols=ignore-all -o $(B)/platform-tables $(PLATFORM_TABLES)
	@$(B)/platform-tables > $@

.PHONY: docs check-docs
docs: $(B)/cpuid-msr.md
	@cmp -s $< $(DOC) || { echo "  COPY    $(DOC)"; cp $< $(DOC); }

check-docs: $(B)/cpuid-msr.md
	@diff -u $(DOC) $< || { echo "$(DOC) is not what the tables say: run 'make docs' and commit it" >&2; exit 1; }

# ---- images and running --------------------------------------------------------------------------

TRIPTYCH := scripts/triptych
BENCH_ALONE := exits iobench netbench
BENCH := $(B)/guest-images/linux/bench $(BENCH_ALONE:%=$(B)/guest-images/linux/%)
BENCH_FLAGS := -std=gnu11 -O2 -Wall -Wextra -Wno-missing-field-initializers -Werror -I. -static -pthread
all: $(BENCH)
BENCH_C := $(filter-out $(BENCH_ALONE:%=guest-images/linux/%.c),$(wildcard guest-images/linux/*.c))

$(B)/guest-images/linux/bench: $(BENCH_C) guest-images/linux/bench.h guest-images/exits.h
	@mkdir -p $(@D)
	@echo "  HOSTCC  $@"
	@$(CROSS_COMPILE)gcc $(BENCH_FLAGS) -o $@ $(BENCH_C)

$(B)/guest-images/linux/iobench: guest-images/linux/measure.c
$(BENCH_ALONE:%=$(B)/guest-images/linux/%): $(B)/%: %.c guest-images/linux/bench.h guest-images/exits.h
	@mkdir -p $(@D)
	@echo "  HOSTCC  $@"
	@$(CROSS_COMPILE)gcc $(BENCH_FLAGS) -o $@ $(filter %.c,$^)

# Gives the emulated machine the same random numbers every time.
SAME_NUMBERS := $(B)/same-numbers.so

$(SAME_NUMBERS): scripts/same-numbers.c
	@mkdir -p $(@D)
	@echo "  HOSTCC  $@"
	@$(HOSTCC) -std=gnu11 -O2 -Wall -Wextra -Werror -fPIC -shared -nostdlib -o $@ $<

# Boots to the report of the machine's capabilities.
$(B)/triptych.iso: $(B)/triptych.elf $(TRIPTYCH) $(wildcard scripts/triptych_lib/*.py)
	@echo "  ISO     $@"
	@$(TRIPTYCH) iso $@ --preflight

.PHONY: deps iso run bench
deps:
	@scripts/deps

iso: deps $(B)/triptych.iso

run: deps $(B)/triptych.elf $(BENCH)
	@$(TRIPTYCH) run

# Bochs' true TSC frequency, so that both kernels take timer interrupts at the same rate: natively the
# kernel measures it against the emulated timers, and is off by a factor.
BENCH_RUN := $(TRIPTYCH) run --no-interactive --kernel debian:amd64 \
	--append "console=ttyS0 loglevel=0 tsc_early_khz=100000 norandmaps rdinit=/bin/bench"

bench: deps $(B)/triptych.elf $(BENCH)
	@$(BENCH_RUN) </dev/null
	@$(BENCH_RUN) --mode native </dev/null

# The same guests natively and in each mode: build/compare/report.html. QUICK=1 for a small set.
COMPARE_OUT := $(B)/compare
.PHONY: compare
compare: deps $(B)/triptych.elf counting $(BENCH) $(B)/nano.elf $(SAME_NUMBERS)
	@$(TRIPTYCH) compare --out $(COMPARE_OUT) $(if $(QUICK),--quick)

# docs/numbers.md from the results beside it; `make compare` makes such results.
.PHONY: numbers
numbers:
	@mkdir -p $(B)
	@$(TRIPTYCH) numbers docs/results.jsonl >$(B)/numbers.md
	@mv $(B)/numbers.md docs/numbers.md

# ---- tests ---------------------------------------------------------------------------------------

GUEST_TESTS := $(filter-out lib,$(notdir $(patsubst %/,%,$(wildcard tests/guest/*/))))
GUEST_ELFS  := $(GUEST_TESTS:%=$(B)/guest/%.elf)
GUEST_CFLAGS := -std=gnu11 -O2 -g $(ANYWHERE) -ffreestanding -mgeneral-regs-only -mno-red-zone -mcmodel=small -fno-pic \
	-fno-pie -fno-stack-protector -fcf-protection=none -Wall -Wextra -Werror -I.
GUEST_LIB := $(patsubst %,$(B)/guest/%.o,tests/guest/lib/start tests/guest/lib/stubs tests/guest/lib/lib \
	tests/guest/lib/paging tests/guest/lib/ring tests/guest/lib/walk hv/lib/printf hv/lib/string)

$(B)/guest/%.o: %.c
	@mkdir -p $(@D)
	@$(CC) $(GUEST_CFLAGS) -MMD -MP -c -o $@ $<

# Its frames are in .debug_frame, which is not loaded.
$(B)/guest/tests/guest/debugged/main.o: GUEST_CFLAGS += -fno-asynchronous-unwind-tables

$(B)/guest/%.o: %.S
	@mkdir -p $(@D)
	@$(CC) $(GUEST_CFLAGS) -c -o $@ $<

# Guests with more than one processor.
$(B)/guest/smp.elf $(B)/guest/sipi.elf $(B)/guest/load.elf $(B)/guest/handoff.elf: $(B)/guest/tests/guest/lib/smp.o $(B)/guest/tests/guest/lib/start_ap.o

# Guests that drive a virtio device.
$(B)/guest/virtio.elf $(B)/guest/relay.elf: $(B)/guest/tests/guest/lib/virtio.o

$(GUEST_ELFS): $(B)/guest/%.elf: $(B)/guest/tests/guest/%/main.o $(GUEST_LIB) tests/guest/lib/link.ld
	@echo "  GUEST   $@"
	@$(LD) -nostdlib -static -z noexecstack --no-warn-rwx-segments --build-id=none -T tests/guest/lib/link.ld -o $@ \
		$(filter %.o,$^)

# The nano guest has an entry of its own, and finds its way off a physical machine too.
NANO := $(B)/nano.elf
NANO_OBJS := $(B)/guest/guest-images/nano/entry.o $(patsubst %.c,$(B)/guest/%.o,$(wildcard guest-images/nano/*.c)) \
	$(B)/guest/hv/cpu/acpi.o $(filter-out %/start.o,$(GUEST_LIB))

$(NANO): $(NANO_OBJS) tests/guest/lib/link.ld
	@echo "  GUEST   $@"
	@$(LD) -nostdlib -static -z noexecstack --no-warn-rwx-segments --build-id=none -T tests/guest/lib/link.ld -o $@ \
		$(filter %.o,$^)

-include $(wildcard $(B)/guest/tests/guest/*/*.d $(B)/guest/guest-images/nano/*.d)

# A unit test's comment lists what it is compiled with: " * Sources: FILE...", as many lines as it takes.
UNIT_TESTS := $(sort $(wildcard tests/unit/test_*.c))
UNIT_BINS  := $(UNIT_TESTS:tests/unit/%.c=$(B)/unit/%)
UNIT_CFLAGS := -std=gnu11 -g -O1 -fsanitize=address,undefined -fno-sanitize-recover=undefined -DDIRECT_MAP_BASE=0ul -I. \
	-I$(B) -Wall -Wextra
unit_sources = $(shell sed -n '/ Sources:/,/\*\/\|^ \*$$/p' $(1) | tr ' ' '\n' | grep -E '^[a-z].*\.c$$' | sort -u)

$(UNIT_BINS): $(B)/unit/%: tests/unit/%.c tests/unit/host.c $(wildcard tests/unit/*.h) $(B)/hv/dev/dsdt.c $(wildcard hv/*/*.[ch] vmx/*.[ch] ept/*.[ch] virtio/*.[ch])
	@mkdir -p $(@D)
	@echo "  UNIT    $<"
	@$(HOSTCC) $(UNIT_CFLAGS) -o $@ $< tests/unit/host.c $(call unit_sources,$<) -lcmocka

.PHONY: test test-slow unit guest-elfs nano
guest-elfs: $(GUEST_ELFS)
nano: $(NANO)
unit: $(UNIT_BINS)

test: deps all counting $(BENCH) $(NANO) $(GUEST_ELFS) $(UNIT_BINS)
	@$(PYTHON) scripts/run-tests

# Guests that have a long form, in every memory mode, and whole boots in all their variants: hours. Stopped and started again,
# it leaves out the system tests that have passed since anything but a document changed.
test-slow: deps all $(BENCH) $(NANO) $(GUEST_ELFS)
	@$(PYTHON) scripts/run-tests --slow

# Each kernel on each machine, with little memory and much, under each strategy of shadow paging: a table. CELL=full-penryn
# is a part of it, CELL=full-penryn-5120-oos one boot.
CELL ?= -
.PHONY: boots
boots: deps all
	@$(PYTHON) -m pytest -q -n 2 -p no:cacheprovider tests/system/test_shadow.py -k 'under_ept and $(CELL)'

# Also with -j, what is missing is installed before anything is built.
ifneq ($(filter iso run bench compare test test-slow lint,$(MAKECMDGOALS)),)
$(HV_OBJS) $(B)/hv/dev/dsdt.c $(B)/symtab0.S $(BENCH) $(NANO_OBJS) $(GUEST_LIB) $(UNIT_BINS): | deps
$(GUEST_TESTS:%=$(B)/guest/tests/guest/%/main.o) counting: | deps
endif

# ---- fuzzing: needs clang, with its libFuzzer ----------------------------------------------------

# A run begins with the inputs in tests/fuzz/corpus/NAME and with what earlier ones left: inputs that reached
# something new stay in build/fuzz/corpus/NAME. With -j, targets run side by side. FUZZ='fuzz_walk fuzz_gdb': these alone.
FUZZ_CC      := clang
FUZZ_CFLAGS  := -std=gnu11 -g -O1 -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=undefined \
	-DDIRECT_MAP_BASE=0ul -I.
FUZZ_SECONDS ?= 60
FUZZ         ?= $(patsubst tests/fuzz/%.c,%,$(wildcard tests/fuzz/fuzz_*.c))
FUZZ_BINS    := $(FUZZ:%=$(B)/fuzz/%)
FUZZ_SHARED  := $(filter-out tests/fuzz/fuzz_%.c,$(wildcard tests/fuzz/*.[ch]))

$(FUZZ_BINS): $(B)/fuzz/%: tests/fuzz/%.c $(FUZZ_SHARED) tests/unit/host.c $(wildcard tests/unit/*.h hv/*/*.[ch] virtio/*.[ch])
	@mkdir -p $(@D)
	@echo "  FUZZ    $<"
	@command -v $(FUZZ_CC) >/dev/null || { echo "fuzzing needs clang: apt-get install clang" >&2; exit 1; }
	@$(FUZZ_CC) $(FUZZ_CFLAGS) -o $@ $< tests/unit/host.c $(call unit_sources,$<)

.PHONY: fuzz $(FUZZ:%=run-%)
fuzz: $(FUZZ:%=run-%)
$(FUZZ:%=run-%): run-%: $(B)/fuzz/%
	@echo "  FUZZ    $*: $(FUZZ_SECONDS) s"
	@mkdir -p $(B)/fuzz/corpus/$*
	@$(B)/fuzz/$* -max_total_time=$(FUZZ_SECONDS) -timeout=10 -max_len=8192 -verbosity=0 \
		-artifact_prefix=$(B)/fuzz/$*- -print_final_stats=1 $(patsubst %,-dict=%,$(wildcard tests/fuzz/$*.dict)) \
		$(B)/fuzz/corpus/$* $(wildcard tests/fuzz/corpus/$*) >$(B)/fuzz/$*.log 2>&1 || { tail -40 $(B)/fuzz/$*.log; exit 1; }
	@echo "  FUZZ    $*: $$(sed -n 's/^stat::number_of_executed_units: *//p' $(B)/fuzz/$*.log) inputs, no finding"

# ---- lint ----------------------------------------------------------------------------------------

.PHONY: lint
lint: deps $(B)/hv/dev/dsdt.c
	@$(PYTHON) scripts/lint

.PHONY: clean help
clean:
	rm -rf $(B)

help:
	@echo "make           build/triptych.elf, and build/triptych.iso, which boots (BIOS, UEFI) to a report of the machine's"
	@echo "               capabilities; make iso is the same, and installs what is missing"
	@echo "make run       a Debian kernel to its shell prompt; Ctrl-] leaves"
	@echo "make bench     kernel operations, under the hypervisor and natively, in ticks"
	@echo "make nano      build/nano.elf, the bare-metal benchmark (docs/measuring.md)"
	@echo "make compare   the same guests natively and in each mode, side by side: build/compare; QUICK=1 for a small set"
	@echo "make counting  build/counting/triptych.elf, which counts VMREADs and VMWRITEs by kind of exit"
	@echo "make test      unit tests, test guests, whole boots"
	@echo "make test-slow the test guests in their long form, and boots in every variant: hours; goes on after a stop"
	@echo "make boots     Debian's kernels under shadow paging, compared with EPT: CELL=full-penryn-5120-oos is one of 36 boots"
	@echo "make fuzz      rings, devices, emulator, page walk, loaders, VM files and more against any input, with clang"
	@echo "make lint      formatting, layers, headers, cppcheck, mypy, sizes"
	@echo "make docs      docs/cpuid-msr.md from the tables; make check-docs fails where that would change it"
	@echo "make numbers   docs/numbers.md from docs/results.jsonl"
	@echo "make deps      the Debian packages that all this needs"
