import { cpus, uptime } from 'node:os'
import { platform } from 'node:process'
import { z } from 'zod'
import { measurement, type Measurement } from '../../common/measurement.ts'
import {
  NETWORK_FOLDER,
  readNetworkInterfaces,
  readWifiSignals,
  type InterfaceCounters,
  type NetworkInterface,
} from '../capture/network-interfaces.ts'
import { POWER_SUPPLY_FOLDER, readPowerSupplies, type PowerSupply } from '../power/power-supply.ts'
import { defineProbe, type Glance, type Interval, type Probe } from '../probe.ts'

const S_PER_MIN = 60
const PERCENT = 100
/** A machine that loses its mains says so within this. */
const GLANCE_MS = 2000
/** Where systeminformation's battery is right about the mains: on BSD it has them the wrong way round. */
const TRUSTED_PLATFORMS = ['darwin', 'win32']
/** Disks that are full by nature. */
const READ_ONLY_TYPES = ['squashfs', 'iso9660', 'erofs', 'cramfs', 'udf']
/** Disks of somebody else. */
const REMOTE_TYPES = /^(?:nfs|cifs|smb|fuse\.sshfs|9p|ceph|glusterfs|afs)/

const options = z.strictObject({
  /** Where the kernel shows interfaces and supplies: set when the host's /sys is mounted elsewhere, as in a container. */
  'network-folder': z.string().min(1).default(NETWORK_FOLDER),
  'power-supply-folder': z.string().min(1).default(POWER_SUPPLY_FOLDER),
})
type Options = z.infer<typeof options>

/** The machine the agent runs on. */
export const host = defineProbe({
  name: 'host',
  summary: 'this machine: load, memory, disk, network interfaces, mains and battery',
  isPower: true,
  options,
  create: (read) => new HostProbe(read),
})

interface CpuTimes {
  readonly busyMs: number
  readonly totalMs: number
}

class HostProbe implements Probe {
  readonly glance: Glance | undefined
  readonly #options: Options
  /** Of each supply, whether it gives power or is spared, as last seen. */
  #supplies = new Map<string, boolean>()
  #cpu: CpuTimes | undefined
  #counters = new Map<string, { readonly index: number; readonly counters: InterfaceCounters }>()

  constructor(read: Options) {
    this.#options = read
    // Elsewhere it takes a program to ask: not every two seconds.
    if (platform === 'linux')
      this.glance = { everyMs: GLANCE_MS, look: async (nowUs) => this.#lookAtSupplies(nowUs) }
  }

  open(): Promise<void> {
    this.#cpu = cpuTimes()
    return Promise.resolve()
  }

  async measure(interval: Interval): Promise<readonly Measurement[]> {
    const [machine, interfaces, signals, supplies] = await Promise.all([
      this.#measureMachine(interval),
      platform === 'linux'
        ? readNetworkInterfaces(this.#options['network-folder'])
        : interfacesElsewhere(),
      platform === 'linux' ? readWifiSignals() : wifiSignalsElsewhere(),
      platform === 'linux'
        ? readPowerSupplies(this.#options['power-supply-folder'])
        : suppliesElsewhere(),
    ])
    const links = interfaces.map((one) => this.#toPoint(one, signals.get(one.name), interval))
    this.#remember(interfaces)
    this.#changed(supplies)
    return [machine, ...links, ...supplies.map((supply) => supplyPoint(supply, interval.endUs))]
  }

  /** All supplies when one of them feeds or drains otherwise than before; nothing else. */
  async #lookAtSupplies(nowUs: number): Promise<readonly Measurement[]> {
    const supplies = await readPowerSupplies(this.#options['power-supply-folder'])
    return this.#changed(supplies) ? supplies.map((supply) => supplyPoint(supply, nowUs)) : []
  }

  #changed(supplies: readonly PowerSupply[]): boolean {
    const before = this.#supplies
    this.#supplies = new Map(
      supplies.map(({ name, online, status }) => [name, online ?? status !== 'discharging']),
    )
    // A supply not heard of before is told with the next measurement, unless it fails.
    return [...this.#supplies].some(([name, feeds]) => feeds !== (before.get(name) ?? true))
  }

  async #measureMachine(interval: Interval): Promise<Measurement> {
    // Slow to load and large: not before it is needed.
    const { default: system } = await import('systeminformation')
    const [memory, disks] = await Promise.all([system.mem(), system.fsSize()])
    return measurement(
      'host',
      interval.endUs,
      {},
      {
        interval_ms: interval.durationMs,
        load_ratio: this.#loadRatio(),
        // Page cache is given back on demand: what counts is what programs could still get.
        memory_used_ratio:
          memory.total > 0 ? (memory.total - memory.available) / memory.total : undefined,
        disk_used_ratio: fullest(disks),
        uptime_s: uptime(),
      },
    )
  }

  /** systeminformation's own load runs a shell each time, blocks the event loop for it, and counts guests twice. */
  #loadRatio(): number | undefined {
    const before = this.#cpu
    const now = cpuTimes()
    this.#cpu = now
    if (before === undefined || now === undefined) return undefined
    const total = now.totalMs - before.totalMs
    return total > 0 ? Math.min(1, Math.max(0, (now.busyMs - before.busyMs) / total)) : undefined
  }

  #toPoint(
    { name, index, kind, up, speedMbit, counters }: NetworkInterface,
    wifiSignalDbm: number | undefined,
    interval: Interval,
  ): Measurement {
    const before = this.#counters.get(name)
    const since = before?.index === index ? before.counters : undefined
    const grown = (key: keyof InterfaceCounters): number | undefined => {
      if (since === undefined || counters === undefined) return undefined
      const difference = counters[key] - since[key]
      return difference >= 0 ? difference : undefined
    }
    return measurement(
      'host',
      interval.endUs,
      { target: name },
      {
        interval_ms: interval.durationMs,
        up,
        kind,
        speed_mbit: speedMbit,
        rx_bytes: grown('rxBytes'),
        tx_bytes: grown('txBytes'),
        rx_errors: grown('rxErrors'),
        tx_errors: grown('txErrors'),
        rx_dropped: grown('rxDropped'),
        tx_dropped: grown('txDropped'),
        wifi_signal_dbm: wifiSignalDbm,
      },
    )
  }

  #remember(interfaces: readonly NetworkInterface[]): void {
    this.#counters = new Map()
    for (const { name, index, counters } of interfaces) {
      if (counters !== undefined) this.#counters.set(name, { index, counters })
    }
  }
}

function cpuTimes(): CpuTimes | undefined {
  let busyMs = 0
  let totalMs = 0
  for (const { times } of cpus()) {
    busyMs += times.user + times.nice + times.sys + times.irq
    totalMs += times.user + times.nice + times.sys + times.irq + times.idle
  }
  return totalMs > 0 ? { busyMs, totalMs } : undefined
}

interface Disk {
  readonly type: string
  readonly used: number
  readonly available: number
  /** null where the system does not say. */
  readonly rw: boolean | null
}

function fullest(disks: readonly Disk[]): number | undefined {
  const ratios = disks
    .filter(
      ({ type, rw }) => rw !== false && !READ_ONLY_TYPES.includes(type) && !REMOTE_TYPES.test(type),
    )
    .map(({ used, available }) => used / (used + available))
    .filter(Number.isFinite)
  return ratios.length > 0 ? Math.max(...ratios) : undefined
}

function supplyPoint(supply: PowerSupply, timeUs: number): Measurement {
  return measurement(
    'power_supply',
    timeUs,
    { target: supply.name },
    {
      kind: supply.kind,
      online: supply.online,
      status: supply.status,
      charge_ratio: supply.chargeRatio,
      runtime_s: supply.runtimeS,
    },
  )
}

/** systeminformation says "connected to mains" for every machine without a battery: believed only beside a battery. */
async function suppliesElsewhere(): Promise<readonly PowerSupply[]> {
  if (!TRUSTED_PLATFORMS.includes(platform)) return []
  const { default: system } = await import('systeminformation')
  const battery = await system.battery()
  if (!battery.hasBattery) return []
  const { acConnected, isCharging, percent, timeRemaining } = battery
  return [
    { name: 'mains', kind: 'mains', online: acConnected },
    {
      name: 'battery',
      kind: 'battery',
      status: isCharging ? 'charging' : acConnected ? 'not charging' : 'discharging',
      chargeRatio: percent >= 0 && percent <= PERCENT ? percent / PERCENT : undefined,
      runtimeS: !acConnected && timeRemaining > 0 ? timeRemaining * S_PER_MIN : undefined,
    },
  ]
}

async function interfacesElsewhere(): Promise<readonly NetworkInterface[]> {
  const { default: system } = await import('systeminformation')
  const [found, counted] = await Promise.all([system.networkInterfaces(), system.networkStats('*')])
  const interfaces = Array.isArray(found) ? found : [found]
  return interfaces.map(({ iface, internal, virtual, type, operstate, speed }, index) => {
    const stats = counted.find((one) => one.iface === iface)
    return {
      name: iface,
      index,
      kind: internal
        ? 'loopback'
        : /^(?:utun|tun|tap|ppp|ipsec|wg)/.test(iface)
          ? 'vpn'
          : virtual
            ? 'virtual'
            : type === 'wired' || type === 'wireless'
              ? type
              : 'unknown',
      up: operstate === 'unknown' ? undefined : operstate === 'up',
      speedMbit: speed !== null && speed > 0 ? speed : undefined,
      counters: stats && {
        rxBytes: stats.rx_bytes,
        txBytes: stats.tx_bytes,
        rxErrors: stats.rx_errors,
        txErrors: stats.tx_errors,
        rxDropped: stats.rx_dropped,
        txDropped: stats.tx_dropped,
      },
    }
  })
}

async function wifiSignalsElsewhere(): Promise<ReadonlyMap<string, number>> {
  const { default: system } = await import('systeminformation')
  const connections = await system.wifiConnections()
  return new Map(
    connections
      .filter(({ signalLevel }) => signalLevel < 0)
      .map(({ iface, signalLevel }) => [iface, signalLevel]),
  )
}
