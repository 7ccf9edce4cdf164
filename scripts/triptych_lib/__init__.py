# SPDX-License-Identifier: BSD-2-Clause
"""The parts of the triptych command: one module an idea, the standard library alone.

    cli        the command line                    vmconfig   a VM's description and its checks
    run        one run, from files to exit status  images     packages, kernels and the cache
    iso        the boot medium                     initramfs  what the default guest finds in /
    machine    an emulator under way               cpio       the archive format
    bochs, qemu   how each engine is started       bzimage    the kernel inside a bzImage
    engine     which engine this host can use      protocol   what the hypervisor says on its log port
    console    the terminal                        ui         progress and errors
    compare/   the same guests in each mode, side by side
"""
