import { readFile, readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'

/** Where Linux shows its network interfaces (kernel: ABI/testing/sysfs-class-net). */
export const NETWORK_FOLDER = '/sys/class/net'

/** ARPHRD_* of if_arp.h. */
const TYPE_PPP = 512
const TYPE_TUNNELS = [768, 769, 776, 778, 823]
const TYPE_LOOPBACK = 772
const TYPE_NONE = 65_534
/** IFF_UP of if.h. */
const FLAG_UP = 1
const VPN_NAME = /^(?:tun|tap|utun|wg|ppp|ipsec|xfrm|vti|tailscale|zt|nordlynx)/
/** One end of a container's cable: its name is made up anew each time. */
const PASSING_NAME = /^veth/
const MAX_INTERFACES = 64

export type InterfaceKind = 'wired' | 'wireless' | 'vpn' | 'virtual' | 'loopback' | 'unknown'

/** Totals since the interface was made. */
export interface InterfaceCounters {
  readonly rxBytes: number
  readonly txBytes: number
  readonly rxErrors: number
  readonly txErrors: number
  readonly rxDropped: number
  readonly txDropped: number
}

export interface NetworkInterface {
  readonly name: string
  /** Another index under the same name is another interface, counting from 0. */
  readonly index: number
  readonly kind: InterfaceKind
  readonly up?: boolean | undefined
  readonly speedMbit?: number | undefined
  readonly counters?: InterfaceCounters | undefined
}

/** The interfaces of this machine, without those that come and go with containers. */
export async function readNetworkInterfaces(
  folder = NETWORK_FOLDER,
): Promise<readonly NetworkInterface[]> {
  const names = (await readdir(folder).catch(() => [])).filter((name) => !PASSING_NAME.test(name))
  const interfaces = await Promise.all(
    names
      .sort()
      .slice(0, MAX_INTERFACES)
      .map(async (name) => await readInterface(name, join(folder, name))),
  )
  return interfaces.filter((one) => one !== undefined)
}

/** Signal level by interface in dBm, where the kernel tells (wireless extensions). */
export async function readWifiSignals(
  file = '/proc/net/wireless',
): Promise<ReadonlyMap<string, number>> {
  const text = await readFile(file, 'utf8').catch(() => '')
  const signals = new Map<string, number>()
  for (const line of text.split('\n')) {
    // name: status quality level noise ...; drivers that do not speak dBm give a level of 0 or more
    const match = /^\s*(\S+):\s+\S+\s+\S+\s+(-\d+)\.?\s/.exec(line)
    if (match?.[1] !== undefined) signals.set(match[1], Number(match[2]))
  }
  return signals
}

async function readInterface(name: string, folder: string): Promise<NetworkInterface | undefined> {
  const text = async (file: string): Promise<string | undefined> =>
    (await readFile(join(folder, file), 'utf8').catch(() => undefined))?.trim()
  const number = async (file: string): Promise<number | undefined> => {
    const value = await text(file)
    return value === undefined || value === '' ? undefined : Number(value)
  }
  const [index, type, flags, state, carrier, speed, uevent, tunFlags] = await Promise.all([
    number('ifindex'),
    number('type'),
    number('flags'),
    text('operstate'),
    number('carrier'),
    number('speed'),
    text('uevent'),
    text('tun_flags'),
  ])
  // Not an interface (bonding_masters), or gone while we looked.
  if (index === undefined || type === undefined) return undefined
  const hardware = await exists(join(folder, 'device'))
  const wireless =
    (await exists(join(folder, 'phy80211'))) || (await exists(join(folder, 'wireless')))
  const deviceType = /^DEVTYPE=(.*)$/m.exec(uevent ?? '')?.[1]
  return {
    name,
    index,
    kind: kindOf({ name, type, hardware, wireless, deviceType, tun: tunFlags !== undefined }),
    up: isUp(state, flags, carrier),
    speedMbit: speed !== undefined && speed > 0 ? speed : undefined,
    counters: await readCounters(async (file) => await number(join('statistics', file))),
  }
}

function kindOf(facts: {
  readonly name: string
  readonly type: number
  readonly hardware: boolean
  readonly wireless: boolean
  readonly deviceType: string | undefined
  readonly tun: boolean
}): InterfaceKind {
  const { name, type, hardware, wireless, deviceType, tun } = facts
  if (type === TYPE_LOOPBACK) return 'loopback'
  if (wireless || deviceType === 'wlan') return 'wireless'
  const tunnel = type === TYPE_PPP || type === TYPE_NONE || TYPE_TUNNELS.includes(type)
  // A mobile modem shows up as a raw IP interface of real hardware.
  if (deviceType === 'wireguard' || VPN_NAME.test(name) || (tunnel && !hardware)) return 'vpn'
  // A tap under another name is the cable of a virtual machine.
  if (tun) return 'virtual'
  if (!hardware) return 'virtual'
  return type === 1 ? 'wired' : 'unknown'
}

/** RFC 2863 states; a driver that keeps none says "unknown", then flags and carrier decide. */
function isUp(
  state: string | undefined,
  flags: number | undefined,
  carrier: number | undefined,
): boolean | undefined {
  if (state === 'up') return true
  if (state !== undefined && state !== 'unknown') return false
  if (flags === undefined) return undefined
  if ((flags & FLAG_UP) === 0) return false
  return carrier === undefined ? undefined : carrier === 1
}

async function readCounters(
  read: (file: string) => Promise<number | undefined>,
): Promise<InterfaceCounters | undefined> {
  const [rxBytes, txBytes, rxErrors, txErrors, rxDropped, txDropped] = await Promise.all(
    ['rx_bytes', 'tx_bytes', 'rx_errors', 'tx_errors', 'rx_dropped', 'tx_dropped'].map(read),
  )
  if (
    rxBytes === undefined ||
    txBytes === undefined ||
    rxErrors === undefined ||
    txErrors === undefined ||
    rxDropped === undefined ||
    txDropped === undefined
  ) {
    return undefined
  }
  return { rxBytes, txBytes, rxErrors, txErrors, rxDropped, txDropped }
}

async function exists(path: string): Promise<boolean> {
  return await stat(path).then(
    () => true,
    () => false,
  )
}
