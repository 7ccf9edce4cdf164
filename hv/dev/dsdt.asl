/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The part of the virtual machine that a kernel cannot find by itself. Numbers repeat those of
 * hv/dev/layout.h and hv/dev/pci.h; tests/unit/test_acpi.c compares them.
 */
DefinitionBlock ("", "DSDT", 2, "TRIPT ", "TRIPTYCH", 1)
{
	Name (\_S5, Package (4) { 5, 5, 0, 0 }) // PM_SLP_TYP_S5

	Scope (\_SB)
	{
		Device (PCI0)
		{
			Name (_HID, EisaId ("PNP0A08"))
			Name (_CID, EisaId ("PNP0A03"))
			Name (_UID, 0)
			Name (_SEG, 0)
			Name (_BBN, 0)
			Name (_CRS, ResourceTemplate ()
			{
				WordBusNumber (ResourceProducer, MinFixed, MaxFixed, PosDecode,
					0, 0, 0, 0, 1)
				IO (Decode16, 0xCF8, 0xCF8, 1, 8)
				WordIO (ResourceProducer, MinFixed, MaxFixed, PosDecode, EntireRange,
					0, 0x0000, 0x0CF7, 0, 0x0CF8)
				WordIO (ResourceProducer, MinFixed, MaxFixed, PosDecode, EntireRange,
					0, 0x0D00, 0xFFFF, 0, 0xF300)
				DWordMemory (ResourceProducer, PosDecode, MinFixed, MaxFixed,
					NonCacheable, ReadWrite,
					0, 0xC0000000, 0xDFFFFFFF, 0, 0x20000000)
			})

			// INTA of slot n is GSI 10 + n % 2; our devices have no other pins.
			Name (_PRT, Package ()
			{
				Package () { 0x0001FFFF, 0, 0, 11 },
				Package () { 0x0002FFFF, 0, 0, 10 },
				Package () { 0x0003FFFF, 0, 0, 11 },
				Package () { 0x0004FFFF, 0, 0, 10 },
				Package () { 0x0005FFFF, 0, 0, 11 },
				Package () { 0x0006FFFF, 0, 0, 10 },
				Package () { 0x0007FFFF, 0, 0, 11 },
				Package () { 0x0008FFFF, 0, 0, 10 },
				Package () { 0x0009FFFF, 0, 0, 11 },
				Package () { 0x000AFFFF, 0, 0, 10 },
				Package () { 0x000BFFFF, 0, 0, 11 },
				Package () { 0x000CFFFF, 0, 0, 10 },
				Package () { 0x000DFFFF, 0, 0, 11 },
				Package () { 0x000EFFFF, 0, 0, 10 },
				Package () { 0x000FFFFF, 0, 0, 11 },
				Package () { 0x0010FFFF, 0, 0, 10 },
				Package () { 0x0011FFFF, 0, 0, 11 },
				Package () { 0x0012FFFF, 0, 0, 10 },
				Package () { 0x0013FFFF, 0, 0, 11 },
				Package () { 0x0014FFFF, 0, 0, 10 },
				Package () { 0x0015FFFF, 0, 0, 11 },
				Package () { 0x0016FFFF, 0, 0, 10 },
				Package () { 0x0017FFFF, 0, 0, 11 },
				Package () { 0x0018FFFF, 0, 0, 10 },
				Package () { 0x0019FFFF, 0, 0, 11 },
				Package () { 0x001AFFFF, 0, 0, 10 },
				Package () { 0x001BFFFF, 0, 0, 11 },
				Package () { 0x001CFFFF, 0, 0, 10 },
				Package () { 0x001DFFFF, 0, 0, 11 },
				Package () { 0x001EFFFF, 0, 0, 10 },
				Package () { 0x001FFFFF, 0, 0, 11 },
			})

			// The OS may have the PCI Express capability structure; there is nothing else to own.
			Method (_OSC, 4, Serialized)
			{
				CreateDWordField (Arg3, 0, CDW1)
				If ((Arg0 != ToUUID ("33DB4D5B-1FF7-401C-9657-7441C03DD766")))
				{
					CDW1 |= 0x04 // unknown UUID
					Return (Arg3)
				}
				CreateDWordField (Arg3, 8, CDW3)
				Local0 = (CDW3 & 0x10)
				If ((Arg1 != 1))
				{
					CDW1 |= 0x08 // unknown revision
				}
				If ((CDW3 != Local0))
				{
					CDW1 |= 0x10 // capabilities masked
				}
				CDW3 = Local0
				Return (Arg3)
			}

			Device (PIC)
			{
				Name (_HID, EisaId ("PNP0000"))
				Name (_CRS, ResourceTemplate ()
				{
					IO (Decode16, 0x20, 0x20, 1, 2)
					IO (Decode16, 0xA0, 0xA0, 1, 2)
					IO (Decode16, 0x4D0, 0x4D0, 1, 2)
					IRQNoFlags () { 2 }
				})
			}

			Device (PIT)
			{
				Name (_HID, EisaId ("PNP0100"))
				Name (_CRS, ResourceTemplate ()
				{
					IO (Decode16, 0x40, 0x40, 1, 4)
					IRQNoFlags () { 0 }
				})
			}

			Device (RTC)
			{
				Name (_HID, EisaId ("PNP0B00"))
				Name (_CRS, ResourceTemplate ()
				{
					IO (Decode16, 0x70, 0x70, 1, 2)
					IRQNoFlags () { 8 }
				})
			}

			Device (KBD)
			{
				Name (_HID, EisaId ("PNP0303"))
				Name (_CRS, ResourceTemplate ()
				{
					IO (Decode16, 0x60, 0x60, 1, 1)
					IO (Decode16, 0x64, 0x64, 1, 1)
					IRQNoFlags () { 1 }
				})
			}

			Device (COM1)
			{
				Name (_HID, EisaId ("PNP0501"))
				Name (_UID, 1)
				Name (_CRS, ResourceTemplate ()
				{
					IO (Decode16, 0x3F8, 0x3F8, 1, 8)
					IRQNoFlags () { 4 }
				})
			}
		}

		// Virtio devices without a bus: where there is one, its first register says "virt".
		Method (THER, 1)
		{
			If ((Arg0 == 0x74726976))
			{
				Return (0x0F)
			}
			Return (0)
		}

		Device (VR00)
		{
			Name (_HID, "LNRO0005")
			Name (_UID, 0)
			Name (_CRS, ResourceTemplate ()
			{
				Memory32Fixed (ReadWrite, 0xFEB00000, 0x00001000)
				Interrupt (ResourceConsumer, Level, ActiveHigh, Shared) { 16 }
			})
			OperationRegion (REGS, SystemMemory, 0xFEB00000, 4)
			Field (REGS, DWordAcc, NoLock, Preserve) { MAGC, 32 }
			Method (_STA) { Return (THER (MAGC)) }
		}

		Device (VR01)
		{
			Name (_HID, "LNRO0005")
			Name (_UID, 1)
			Name (_CRS, ResourceTemplate ()
			{
				Memory32Fixed (ReadWrite, 0xFEB01000, 0x00001000)
				Interrupt (ResourceConsumer, Level, ActiveHigh, Shared) { 17 }
			})
			OperationRegion (REGS, SystemMemory, 0xFEB01000, 4)
			Field (REGS, DWordAcc, NoLock, Preserve) { MAGC, 32 }
			Method (_STA) { Return (THER (MAGC)) }
		}

		Device (VR02)
		{
			Name (_HID, "LNRO0005")
			Name (_UID, 2)
			Name (_CRS, ResourceTemplate ()
			{
				Memory32Fixed (ReadWrite, 0xFEB02000, 0x00001000)
				Interrupt (ResourceConsumer, Level, ActiveHigh, Shared) { 18 }
			})
			OperationRegion (REGS, SystemMemory, 0xFEB02000, 4)
			Field (REGS, DWordAcc, NoLock, Preserve) { MAGC, 32 }
			Method (_STA) { Return (THER (MAGC)) }
		}

		Device (VR03)
		{
			Name (_HID, "LNRO0005")
			Name (_UID, 3)
			Name (_CRS, ResourceTemplate ()
			{
				Memory32Fixed (ReadWrite, 0xFEB03000, 0x00001000)
				Interrupt (ResourceConsumer, Level, ActiveHigh, Shared) { 19 }
			})
			OperationRegion (REGS, SystemMemory, 0xFEB03000, 4)
			Field (REGS, DWordAcc, NoLock, Preserve) { MAGC, 32 }
			Method (_STA) { Return (THER (MAGC)) }
		}

		Device (VR04)
		{
			Name (_HID, "LNRO0005")
			Name (_UID, 4)
			Name (_CRS, ResourceTemplate ()
			{
				Memory32Fixed (ReadWrite, 0xFEB04000, 0x00001000)
				Interrupt (ResourceConsumer, Level, ActiveHigh, Shared) { 20 }
			})
			OperationRegion (REGS, SystemMemory, 0xFEB04000, 4)
			Field (REGS, DWordAcc, NoLock, Preserve) { MAGC, 32 }
			Method (_STA) { Return (THER (MAGC)) }
		}

		Device (VR05)
		{
			Name (_HID, "LNRO0005")
			Name (_UID, 5)
			Name (_CRS, ResourceTemplate ()
			{
				Memory32Fixed (ReadWrite, 0xFEB05000, 0x00001000)
				Interrupt (ResourceConsumer, Level, ActiveHigh, Shared) { 21 }
			})
			OperationRegion (REGS, SystemMemory, 0xFEB05000, 4)
			Field (REGS, DWordAcc, NoLock, Preserve) { MAGC, 32 }
			Method (_STA) { Return (THER (MAGC)) }
		}

		Device (VR06)
		{
			Name (_HID, "LNRO0005")
			Name (_UID, 6)
			Name (_CRS, ResourceTemplate ()
			{
				Memory32Fixed (ReadWrite, 0xFEB06000, 0x00001000)
				Interrupt (ResourceConsumer, Level, ActiveHigh, Shared) { 22 }
			})
			OperationRegion (REGS, SystemMemory, 0xFEB06000, 4)
			Field (REGS, DWordAcc, NoLock, Preserve) { MAGC, 32 }
			Method (_STA) { Return (THER (MAGC)) }
		}

		Device (VR07)
		{
			Name (_HID, "LNRO0005")
			Name (_UID, 7)
			Name (_CRS, ResourceTemplate ()
			{
				Memory32Fixed (ReadWrite, 0xFEB07000, 0x00001000)
				Interrupt (ResourceConsumer, Level, ActiveHigh, Shared) { 23 }
			})
			OperationRegion (REGS, SystemMemory, 0xFEB07000, 4)
			Field (REGS, DWordAcc, NoLock, Preserve) { MAGC, 32 }
			Method (_STA) { Return (THER (MAGC)) }
		}

		Device (VR08)
		{
			Name (_HID, "LNRO0005")
			Name (_UID, 8)
			Name (_CRS, ResourceTemplate ()
			{
				Memory32Fixed (ReadWrite, 0xFEB08000, 0x00001000)
				Interrupt (ResourceConsumer, Level, ActiveHigh, Shared) { 16 }
			})
			OperationRegion (REGS, SystemMemory, 0xFEB08000, 4)
			Field (REGS, DWordAcc, NoLock, Preserve) { MAGC, 32 }
			Method (_STA) { Return (THER (MAGC)) }
		}

		Device (VR09)
		{
			Name (_HID, "LNRO0005")
			Name (_UID, 9)
			Name (_CRS, ResourceTemplate ()
			{
				Memory32Fixed (ReadWrite, 0xFEB09000, 0x00001000)
				Interrupt (ResourceConsumer, Level, ActiveHigh, Shared) { 17 }
			})
			OperationRegion (REGS, SystemMemory, 0xFEB09000, 4)
			Field (REGS, DWordAcc, NoLock, Preserve) { MAGC, 32 }
			Method (_STA) { Return (THER (MAGC)) }
		}

		Device (VR10)
		{
			Name (_HID, "LNRO0005")
			Name (_UID, 10)
			Name (_CRS, ResourceTemplate ()
			{
				Memory32Fixed (ReadWrite, 0xFEB0A000, 0x00001000)
				Interrupt (ResourceConsumer, Level, ActiveHigh, Shared) { 18 }
			})
			OperationRegion (REGS, SystemMemory, 0xFEB0A000, 4)
			Field (REGS, DWordAcc, NoLock, Preserve) { MAGC, 32 }
			Method (_STA) { Return (THER (MAGC)) }
		}

		Device (VR11)
		{
			Name (_HID, "LNRO0005")
			Name (_UID, 11)
			Name (_CRS, ResourceTemplate ()
			{
				Memory32Fixed (ReadWrite, 0xFEB0B000, 0x00001000)
				Interrupt (ResourceConsumer, Level, ActiveHigh, Shared) { 19 }
			})
			OperationRegion (REGS, SystemMemory, 0xFEB0B000, 4)
			Field (REGS, DWordAcc, NoLock, Preserve) { MAGC, 32 }
			Method (_STA) { Return (THER (MAGC)) }
		}

		// What no driver may take: ECAM, the ACPI registers, the reset ports.
		Device (RSVD)
		{
			Name (_HID, EisaId ("PNP0C02"))
			Name (_CRS, ResourceTemplate ()
			{
				Memory32Fixed (ReadWrite, 0xE0000000, 0x00100000)
				IO (Decode16, 0x600, 0x600, 1, 16)
				IO (Decode16, 0x61, 0x61, 1, 1)
				IO (Decode16, 0x80, 0x80, 1, 1)
				IO (Decode16, 0x92, 0x92, 1, 1)
			})
		}
	}
}
