/** Link types as numbered in capture files (the tcpdump group's LINKTYPE_ registry). */

/** BSD loopback: the address family in the byte order of the machine that wrote the file. */
export const LINK_NULL = 0
export const LINK_ETHERNET = 1
export const LINK_PPP = 9
/** What the number of raw IP was in files of some systems: the kernel's own number leaked into them. */
export const LINK_RAW_12 = 12
export const LINK_RAW_14 = 14
/** PPP with its address and control octets. */
export const LINK_PPP_HDLC = 50
export const LINK_RAW = 101
/** Cisco's HDLC: address, control, then the type of Ethernet. */
export const LINK_C_HDLC = 104
export const LINK_WIFI = 105
/** OpenBSD loopback: the address family in network byte order. */
export const LINK_LOOP = 108
export const LINK_LINUX_SLL = 113
/** A radiotap header, then Wi-Fi. */
export const LINK_WIFI_RADIOTAP = 127
/** An octet that tells the direction, then PPP. */
export const LINK_PPP_DIRECTION = 204
export const LINK_IPV4 = 228
export const LINK_IPV6 = 229
export const LINK_LINUX_SLL2 = 276
