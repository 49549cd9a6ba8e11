import { mendDes } from './snmp-des.ts'

export type NetSnmp = typeof import('net-snmp')

/** Keys made of passwords, kept by net-snmp under password and engine; a device that shows another engine each time must not fill the memory. */
const MAX_CACHED_KEYS = 512

let loaded: Promise<NetSnmp> | undefined

/** net-snmp costs 4 MB and is loaded by the first probe that speaks SNMP. */
export async function loadNetSnmp(): Promise<NetSnmp> {
  loaded ??= import('net-snmp').then((module) => {
    mendDes(module)
    return module
  })
  return await loaded
}

/** Forgets cached keys when there are more than any site has devices. */
export function boundKeyCache({ Authentication }: NetSnmp): void {
  const keys = Object.keys(Authentication.authToKeyCache)
  if (keys.length <= MAX_CACHED_KEYS) return
  for (const key of keys) Reflect.deleteProperty(Authentication.authToKeyCache, key)
}
