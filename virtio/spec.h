/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The words of "Virtual I/O Device (VIRTIO) Version 1.2": bits and layouts, in its order. Sections
 * are cited by number and title. All fields are little-endian, as the processor is.
 */
#ifndef VIRTIO_SPEC_H
#define VIRTIO_SPEC_H

#include "hv/lib/util.h"

/* 2.1 Device Status Field */
#define VIRTIO_STATUS_ACKNOWLEDGE 1u
#define VIRTIO_STATUS_DRIVER	  2u
#define VIRTIO_STATUS_DRIVER_OK	  4u
#define VIRTIO_STATUS_FEATURES_OK 8u
#define VIRTIO_STATUS_NEEDS_RESET 64u
#define VIRTIO_STATUS_FAILED	  128u

/* 2.7.5 The Virtqueue Descriptor Table */
struct vring_desc {
	u64 addr;
	u32 len;
	u16 flags;
	u16 next;
};
static_assert(sizeof(struct vring_desc) == 16, "as the driver writes it");

#define VRING_DESC_NEXT	    BIT(0)
#define VRING_DESC_WRITE    BIT(1)
#define VRING_DESC_INDIRECT BIT(2)

/* 2.7.6 The Virtqueue Available Ring */
#define VRING_AVAIL_FLAGS	 0u
#define VRING_AVAIL_IDX		 2u
#define VRING_AVAIL_RING	 4u
#define VRING_AVAIL_NO_INTERRUPT 1u

/* 2.7.8 The Virtqueue Used Ring */
struct vring_used_elem {
	u32 id;
	u32 len;
};
static_assert(sizeof(struct vring_used_elem) == 8, "as the driver reads it");

#define VRING_USED_FLAGS     0u
#define VRING_USED_IDX	     2u
#define VRING_USED_RING	     4u
#define VRING_USED_NO_NOTIFY 1u

/* 2.8.13 Virtqueue Descriptor (packed) */
struct vring_packed_desc {
	u64 addr;
	u32 len;
	u16 id;
	u16 flags;
};
static_assert(sizeof(struct vring_packed_desc) == 16, "as the driver writes it");

/* 2.8.1 Driver and Device Ring Wrap Counters */
#define VRING_PACKED_AVAIL BIT(7)
#define VRING_PACKED_USED  BIT(15)

/* 2.8.14 Event Suppression Structure Format */
#define VRING_EVENT_OFF_WRAP 0u
#define VRING_EVENT_FLAGS    2u
#define VRING_EVENT_SIZE     4u
#define VRING_EVENT_WRAP     0x8000u
#define VRING_EVENT_ENABLE   0u
#define VRING_EVENT_DISABLE  1u
#define VRING_EVENT_DESC     2u

/* 4.1.4.3 Common configuration structure layout */
struct virtio_pci_common {
	u32 device_feature_select;
	u32 device_feature;
	u32 driver_feature_select;
	u32 driver_feature;
	u16 config_msix_vector;
	u16 num_queues;
	u8 device_status;
	u8 config_generation;
	u16 queue_select;
	u16 queue_size;
	u16 queue_msix_vector;
	u16 queue_enable;
	u16 queue_notify_off;
	u64 queue_desc;
	u64 queue_driver;
	u64 queue_device;
};
static_assert(sizeof(struct virtio_pci_common) == 0x38, "as the driver sees it");

/* 4.1.2 PCI Device Discovery */
#define VIRTIO_PCI_VENDOR      0x1af4u
#define VIRTIO_PCI_DEVICE_BASE 0x1040u
#define VIRTIO_PCI_REVISION    1u
#define VIRTIO_PCI_SUBSYSTEM                                                                       \
	0x1040u /* not below 0x40 for a device without the legacy interface                        \
		 */

/* 4.1.4 Virtio Structure PCI Capabilities: offsets in the capability */
#define VIRTIO_PCI_CAP_LEN	  2u
#define VIRTIO_PCI_CAP_TYPE	  3u
#define VIRTIO_PCI_CAP_BAR	  4u
#define VIRTIO_PCI_CAP_OFFSET	  8u
#define VIRTIO_PCI_CAP_LENGTH	  12u
#define VIRTIO_PCI_CAP_SIZE	  16u
#define VIRTIO_PCI_CAP_MULTIPLIER 16u /* notifications only */
#define VIRTIO_PCI_CAP_DATA	  16u /* the window only */
#define VIRTIO_PCI_CAP_LONG_SIZE  20u

#define VIRTIO_PCI_CAP_COMMON 1u
#define VIRTIO_PCI_CAP_NOTIFY 2u
#define VIRTIO_PCI_CAP_ISR    3u
#define VIRTIO_PCI_CAP_DEVICE 4u
#define VIRTIO_PCI_CAP_WINDOW 5u

/* 4.1.4.5 ISR status capability */
#define VIRTIO_ISR_QUEUE  BIT(0)
#define VIRTIO_ISR_CONFIG BIT(1)

/* 4.1.5.1.2 MSI-X Vector Configuration */
#define VIRTIO_NO_VECTOR 0xffffu

/* 4.2.2 MMIO Device Register Layout */
#define VIRTIO_MMIO_MAGIC	    0x000u
#define VIRTIO_MMIO_VERSION	    0x004u
#define VIRTIO_MMIO_DEVICE	    0x008u
#define VIRTIO_MMIO_VENDOR	    0x00cu
#define VIRTIO_MMIO_OFFERED	    0x010u
#define VIRTIO_MMIO_OFFERED_SELECT  0x014u
#define VIRTIO_MMIO_ACCEPTED	    0x020u
#define VIRTIO_MMIO_ACCEPTED_SELECT 0x024u
#define VIRTIO_MMIO_QUEUE_SELECT    0x030u
#define VIRTIO_MMIO_QUEUE_MAX	    0x034u
#define VIRTIO_MMIO_QUEUE_SIZE	    0x038u
#define VIRTIO_MMIO_QUEUE_READY	    0x044u
#define VIRTIO_MMIO_NOTIFY	    0x050u
#define VIRTIO_MMIO_INTERRUPTS	    0x060u
#define VIRTIO_MMIO_ACKNOWLEDGE	    0x064u
#define VIRTIO_MMIO_STATUS	    0x070u
#define VIRTIO_MMIO_DESC	    0x080u /* low, high; those of the other two areas follow */
#define VIRTIO_MMIO_ADDRESS_STEP    0x010u
#define VIRTIO_MMIO_REGION_LENGTH   0x0b0u /* of shared memory */
#define VIRTIO_MMIO_REGION_BASE	    0x0b8u
#define VIRTIO_MMIO_GENERATION	    0x0fcu
#define VIRTIO_MMIO_CONFIG	    0x100u

#define VIRTIO_MMIO_MAGIC_VALUE 0x74726976u /* "virt" */
#define VIRTIO_MMIO_VERSION_2	2u

/* 5 Device Types */
#define VIRTIO_ID_NET	  1u
#define VIRTIO_ID_BLK	  2u
#define VIRTIO_ID_CONSOLE 3u
#define VIRTIO_ID_RNG	  4u
#define VIRTIO_ID_BALLOON 5u

/* 5.1.3 Network Device: Feature bits */
#define VIRTIO_NET_F_CSUM	    BIT(0)
#define VIRTIO_NET_F_GUEST_CSUM	    BIT(1)
#define VIRTIO_NET_F_MTU	    BIT(3)
#define VIRTIO_NET_F_MAC	    BIT(5)
#define VIRTIO_NET_F_GUEST_TSO4	    BIT(7)
#define VIRTIO_NET_F_GUEST_TSO6	    BIT(8)
#define VIRTIO_NET_F_HOST_TSO4	    BIT(11)
#define VIRTIO_NET_F_HOST_TSO6	    BIT(12)
#define VIRTIO_NET_F_MRG_RXBUF	    BIT(15)
#define VIRTIO_NET_F_STATUS	    BIT(16)
#define VIRTIO_NET_F_CTRL_VQ	    BIT(17)
#define VIRTIO_NET_F_CTRL_RX	    BIT(18)
#define VIRTIO_NET_F_CTRL_VLAN	    BIT(19)
#define VIRTIO_NET_F_CTRL_RX_EXTRA  BIT(20)
#define VIRTIO_NET_F_GUEST_ANNOUNCE BIT(21)
#define VIRTIO_NET_F_MQ		    BIT(22)
#define VIRTIO_NET_F_CTRL_MAC_ADDR  BIT(23)

/* 5.1.4 Network Device: Device configuration layout */
struct virtio_net_config {
	u8 mac[6];
	u16 status;
	u16 pairs;
	u16 mtu;
};
static_assert(sizeof(struct virtio_net_config) == 12, "as the driver sees it");

#define VIRTIO_NET_LINK_UP  1u
#define VIRTIO_NET_ANNOUNCE 2u

/* 5.1.6 Network Device: Device Operation */
struct virtio_net_header {
	u8 flags;
	u8 gso_type;
	u16 hdr_len;
	u16 gso_size;
	u16 csum_start;
	u16 csum_offset;
	u16 num_buffers;
};
static_assert(sizeof(struct virtio_net_header) == 12, "as the driver writes it");

#define VIRTIO_NET_NEEDS_CSUM 1u
#define VIRTIO_NET_GSO_NONE   0u
#define VIRTIO_NET_GSO_TCPV4  1u
#define VIRTIO_NET_GSO_TCPV6  4u

/* 5.1.6.5 Control Virtqueue */
struct virtio_net_control {
	u8 class;
	u8 command;
};

#define VIRTIO_NET_OK  0u
#define VIRTIO_NET_ERR 1u

#define VIRTIO_NET_CTRL_RX     0u
#define VIRTIO_NET_RX_PROMISC  0u
#define VIRTIO_NET_RX_ALLMULTI 1u
#define VIRTIO_NET_RX_ALLUNI   2u
#define VIRTIO_NET_RX_NOMULTI  3u
#define VIRTIO_NET_RX_NOUNI    4u
#define VIRTIO_NET_RX_NOBCAST  5u
#define VIRTIO_NET_RX_MODES    6u

#define VIRTIO_NET_CTRL_MAC  1u
#define VIRTIO_NET_MAC_TABLE 0u
#define VIRTIO_NET_MAC_ADDR  1u

#define VIRTIO_NET_CTRL_VLAN 2u
#define VIRTIO_NET_VLAN_ADD  0u
#define VIRTIO_NET_VLAN_DEL  1u

#define VIRTIO_NET_CTRL_ANNOUNCE 3u
#define VIRTIO_NET_ANNOUNCE_ACK	 0u

#define VIRTIO_NET_CTRL_MQ 4u
#define VIRTIO_NET_MQ_SET  0u

/* 5.2.3 Block Device: Feature bits */
#define VIRTIO_BLK_F_SIZE_MAX	  BIT(1)
#define VIRTIO_BLK_F_SEG_MAX	  BIT(2)
#define VIRTIO_BLK_F_RO		  BIT(5)
#define VIRTIO_BLK_F_BLK_SIZE	  BIT(6)
#define VIRTIO_BLK_F_FLUSH	  BIT(9)
#define VIRTIO_BLK_F_TOPOLOGY	  BIT(10)
#define VIRTIO_BLK_F_MQ		  BIT(12)
#define VIRTIO_BLK_F_DISCARD	  BIT(13)
#define VIRTIO_BLK_F_WRITE_ZEROES BIT(14)

/* 5.2.4 Block Device: Device configuration layout */
struct virtio_blk_config {
	u64 capacity;
	u32 size_max;
	u32 seg_max;
	u16 cylinders;
	u8 heads;
	u8 sectors;
	u32 blk_size;
	u8 physical_block_exp;
	u8 alignment_offset;
	u16 min_io_size;
	u32 opt_io_size;
	u8 writeback;
	u8 unused0;
	u16 num_queues;
	u32 max_discard_sectors;
	u32 max_discard_seg;
	u32 discard_sector_alignment;
	u32 max_write_zeroes_sectors;
	u32 max_write_zeroes_seg;
	u8 write_zeroes_may_unmap;
	u8 unused1[3];
} __packed;
static_assert(sizeof(struct virtio_blk_config) == 60, "as the driver sees it");

/* 5.2.6 Block Device: Device Operation */
struct virtio_blk_header {
	u32 type;
	u32 reserved;
	u64 sector;
};
static_assert(sizeof(struct virtio_blk_header) == 16, "as the driver writes it");

#define VIRTIO_BLK_T_IN		  0u
#define VIRTIO_BLK_T_OUT	  1u
#define VIRTIO_BLK_T_FLUSH	  4u
#define VIRTIO_BLK_T_GET_ID	  8u
#define VIRTIO_BLK_T_DISCARD	  11u
#define VIRTIO_BLK_T_WRITE_ZEROES 13u
#define VIRTIO_BLK_ID_BYTES	  20u

struct virtio_blk_range {
	u64 sector;
	u32 sectors;
	u32 flags;
};
static_assert(sizeof(struct virtio_blk_range) == 16, "as the driver writes it");

#define VIRTIO_BLK_RANGE_UNMAP BIT(0)

#define VIRTIO_BLK_S_OK	    0u
#define VIRTIO_BLK_S_IOERR  1u
#define VIRTIO_BLK_S_UNSUPP 2u

/* 5.3.3 Console Device: Feature bits */
#define VIRTIO_CONSOLE_F_SIZE	     BIT(0)
#define VIRTIO_CONSOLE_F_MULTIPORT   BIT(1)
#define VIRTIO_CONSOLE_F_EMERG_WRITE BIT(2)

/* 5.3.4 Console Device: Device configuration layout */
struct virtio_console_config {
	u16 cols;
	u16 rows;
	u32 max_nr_ports;
	u32 emerg_wr;
};
static_assert(sizeof(struct virtio_console_config) == 12, "as the driver sees it");

/* 5.3.6.2 Multiport Device Operation */
struct virtio_console_control {
	u32 id;
	u16 event;
	u16 value;
};
static_assert(sizeof(struct virtio_console_control) == 8, "as the driver writes it");

struct virtio_console_resize {
	u16 cols;
	u16 rows;
};

#define VIRTIO_CONSOLE_DEVICE_READY 0u
#define VIRTIO_CONSOLE_PORT_ADD	    1u
#define VIRTIO_CONSOLE_PORT_READY   3u
#define VIRTIO_CONSOLE_CONSOLE_PORT 4u
#define VIRTIO_CONSOLE_RESIZE	    5u
#define VIRTIO_CONSOLE_PORT_OPEN    6u
#define VIRTIO_CONSOLE_PORT_NAME    7u

/* 5.5.3 Traditional Memory Balloon Device: Feature bits */
#define VIRTIO_BALLOON_F_MUST_TELL_HOST BIT(0)
#define VIRTIO_BALLOON_F_STATS_VQ	BIT(1)
#define VIRTIO_BALLOON_F_REPORTING	BIT(5)

/* 5.5.4 Device configuration layout, as far as it belongs to these features */
struct virtio_balloon_config {
	u32 num_pages; /* that the driver is asked for */
	u32 actual;    /* that it says it has given */
};
static_assert(sizeof(struct virtio_balloon_config) == 8, "as the driver sees it");

#define VIRTIO_BALLOON_PFN_SHIFT 12u

/* 5.5.6.4 Memory Statistics Tags */
struct virtio_balloon_stat {
	u16 tag;
	u64 value;
} __packed;
static_assert(sizeof(struct virtio_balloon_stat) == 10, "as the driver writes it");

#define VIRTIO_BALLOON_S_FREE  4u
#define VIRTIO_BALLOON_S_TOTAL 5u
#define VIRTIO_BALLOON_S_AVAIL 6u

/* 6 Reserved Feature Bits */
#define VIRTIO_F_INDIRECT  BIT(28)
#define VIRTIO_F_EVENT_IDX BIT(29)
#define VIRTIO_F_VERSION_1 BIT(32)
#define VIRTIO_F_PACKED	   BIT(34)

#endif
