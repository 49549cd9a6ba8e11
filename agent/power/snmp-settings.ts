import { z } from 'zod'
import { duration, hostPort, name, secret, type Secret } from '../../common/settings.ts'
import { addressSetting } from './address.ts'
import { AUTH_PROTOCOLS, PRIV_PROTOCOLS, type SnmpAccess, type SnmpOptions } from './snmp-access.ts'
import type { TrapSettings } from './snmp-traps.ts'

const SNMP_PORT = 161
const MIN_TIMEOUT_MS = 50
const MAX_TIMEOUT_MS = 30_000
const MAX_RETRIES = 5
const MAX_TARGETS = 200
/** With three attempts a silent device is given up before its next turn in 5 s. */
const DEFAULT_TIMEOUT_MS = 1000
const DEFAULT_RETRIES = 2
/** RFC 3414 section 11.2. */
const MIN_KEY_LENGTH = 8

/** How to get in. The same keys stand beside `targets`, for all of them, and in a target, for it alone. */
const accessSettings = {
  version: z.enum(['v1', 'v2c', 'v3']).optional(),
  /** Of SNMPv1 and v2c; one that may only read. */
  community: secret.optional(),
  /** Of SNMPv3; one that may only read. */
  user: z.string().min(1).max(32).optional(),
  auth: z.enum(AUTH_PROTOCOLS).optional(),
  'auth-key': secret.optional(),
  priv: z.enum(PRIV_PROTOCOLS).optional(),
  'priv-key': secret.optional(),
  context: z.string().max(32).optional(),
  /** For each attempt. */
  timeout: duration.pipe(z.int().min(MIN_TIMEOUT_MS).max(MAX_TIMEOUT_MS)).optional(),
  retries: z.int().min(0).max(MAX_RETRIES).optional(),
}
type AccessSettings = z.infer<z.ZodObject<typeof accessSettings>>

const targetSettings = {
  /** What the site file and the alerts call it. */
  name,
  address: addressSetting(SNMP_PORT),
  ...accessSettings,
}
type TargetSettings = z.infer<z.ZodObject<typeof targetSettings>>

/** Traps and informs of the targets: each makes that target be polled at once. */
const trapSettings = {
  traps: z
    .strictObject({
      /** Port 162 needs rights; any other does not. */
      listen: hostPort,
      /** Where devices sign traps with another community than they are read with. */
      community: secret.optional(),
    })
    .optional(),
}

interface Settings extends AccessSettings {
  readonly targets: readonly TargetSettings[]
  readonly traps?:
    | {
        readonly listen: { readonly host: string; readonly port: number }
        readonly community?: Secret | undefined
      }
    | undefined
}

/**
 * The options of a probe that speaks SNMP, to be refined by checkTargets().
 * @param unitSettings what it must know of a device besides; like how to get in, beside `targets` for all of them and in a target for it alone
 */
export function snmpSettings<UnitShape extends z.core.$ZodShape>(unitSettings: UnitShape) {
  const target = z.strictObject({ ...targetSettings, ...unitSettings })
  return z.strictObject({
    ...accessSettings,
    ...unitSettings,
    ...trapSettings,
    targets: z.array(target).min(1).max(MAX_TARGETS),
  })
}

/** The devices to poll, one for each target; read by checkTargets() before, all of them can be got in to. */
export function devicesOf<Target extends TargetSettings, Device>(
  read: AccessSettings & { readonly targets: readonly Target[] },
  deviceOf: (options: SnmpOptions, target: Target) => Device,
): readonly Device[] {
  return read.targets.flatMap((target) => {
    const options = snmpOptionsOf(read, target)
    return 'complaint' in options ? [] : [deviceOf(options, target)]
  })
}

/** Where to take traps, and with what they may be signed: the doors of the targets, and a community of their own. */
export function trapSettingsOf(read: Settings): TrapSettings | undefined {
  const { traps } = read
  if (traps === undefined) return undefined
  const { community } = traps
  const doors = read.targets.flatMap((target) => {
    const options = snmpOptionsOf(read, target)
    return 'complaint' in options ? [] : [options.access]
  })
  return {
    ...traps.listen,
    access: [
      ...doors,
      ...(community === undefined
        ? []
        : [{ version: 'v2c' as const, revealCommunity: () => community.reveal() }]),
    ],
  }
}

/** What SNMP needs to reach a target: its own settings, else those beside `targets`. */
function snmpOptionsOf(
  defaults: AccessSettings,
  target: TargetSettings,
): SnmpOptions | { readonly complaint: string } {
  const access = accessOf(defaults, target)
  if ('complaint' in access) return access
  return {
    ...target.address,
    timeoutMs: target.timeout ?? defaults.timeout ?? DEFAULT_TIMEOUT_MS,
    retries: target.retries ?? defaults.retries ?? DEFAULT_RETRIES,
    access,
  }
}

/** Complains of targets that share a name, and of those nobody can get in to. */
export function checkTargets(read: Omit<Settings, 'traps'>, context: z.core.$RefinementCtx): void {
  const names = new Set<string>()
  for (const [index, target] of read.targets.entries()) {
    const options = snmpOptionsOf(read, target)
    const complaint = names.has(target.name)
      ? `there are two targets called ${target.name}`
      : 'complaint' in options
        ? options.complaint
        : undefined
    names.add(target.name)
    if (complaint !== undefined) {
      context.issues.push({
        code: 'custom',
        message: complaint,
        path: ['targets', index],
        input: target.name,
      })
    }
  }
}

function accessOf(
  defaults: AccessSettings,
  target: AccessSettings,
): SnmpAccess | { readonly complaint: string } {
  const version = versionOf(target) ?? versionOf(defaults) ?? 'v2c'
  if (version !== 'v3') {
    const community = target.community ?? defaults.community
    if (community === undefined) {
      return { complaint: 'expected a community, or a user of SNMPv3, here or beside targets' }
    }
    return { version, revealCommunity: () => community.reveal() }
  }
  // A user of its own comes with keys of its own.
  const from = target.user === undefined ? { ...defaults, ...definedOf(target) } : target
  const { user, auth, priv, 'auth-key': authKey, 'priv-key': privKey, context } = from
  if (user === undefined) return { complaint: 'expected a user for SNMPv3' }
  if ((auth === undefined) !== (authKey === undefined)) {
    return { complaint: 'expected both auth and auth-key, or none' }
  }
  if ((priv === undefined) !== (privKey === undefined)) {
    return { complaint: 'expected both priv and priv-key, or none' }
  }
  if (priv !== undefined && auth === undefined) return { complaint: 'priv needs auth too' }
  const isShort = [authKey, privKey].some(
    (key) => key !== undefined && key.reveal().length < MIN_KEY_LENGTH,
  )
  if (isShort) return { complaint: `expected keys of at least ${MIN_KEY_LENGTH} characters` }
  return {
    version,
    user,
    context,
    ...(auth !== undefined && authKey !== undefined
      ? { auth: { protocol: auth, revealKey: () => authKey.reveal() } }
      : {}),
    ...(priv !== undefined && privKey !== undefined
      ? { priv: { protocol: priv, revealKey: () => privKey.reveal() } }
      : {}),
  }
}

function versionOf({ version, user, community }: AccessSettings): AccessSettings['version'] {
  if (version !== undefined) return version
  if (user !== undefined) return 'v3'
  return community === undefined ? undefined : 'v2c'
}

function definedOf(settings: AccessSettings): Partial<AccessSettings> {
  return Object.fromEntries(Object.entries(settings).filter(([, value]) => value !== undefined))
}
