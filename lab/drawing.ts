/** What calling depends on at the demonstration site, as its people would draw it: two of everything, and reception on one. */

const MS_PER_DAY = 86_400_000
/** How long the battery of UPS A carries its load. */
export const RUNTIME_MIN = 14
/** How long reception should be able to call 112 without mains. */
export const EMERGENCY_HOLD_UP_MIN = 10

const ROOM = 'Exchange room 2.14'
const CONTRACT = 'Lab Power Service, 24/7, contract 8841'

export interface DrawingFacts {
  /** Batteries are some years old on that day. */
  readonly nowMs: number
  readonly phonesPerFloor: number
}

export function drawing({
  nowMs,
  phonesPerFloor,
}: DrawingFacts): Readonly<Record<string, unknown>> {
  const daysAgo = (days: number): string =>
    new Date(nowMs - days * MS_PER_DAY).toISOString().slice(0, 10)
  const inDays = (days: number): string => daysAgo(-days)
  return {
    components: {
      ...feed('a', { rack: 3, circuit: 'L3-7', installed: daysAgo(790), runtimeMin: RUNTIME_MIN }),
      ...feed('b', { rack: 4, circuit: 'L1-2', installed: daysAgo(180), runtimeMin: 40 }),
      ...network(phonesPerFloor),
    },
    services: {
      'emergency-112': {
        label: 'Calls to 112 from reception',
        serves: 'hq',
        owner: 'facilities',
        'hold-up': `${EMERGENCY_HOLD_UP_MIN}min`,
        needs: ['reception', 'pbx', { any: ['trunk-a', 'trunk-b'] }],
      },
      'call-out': {
        label: 'Calls to outside',
        serves: 'hq',
        owner: 'ict',
        'hold-up': '30min',
        needs: [{ any: ['phones-1', 'phones-2'] }, 'pbx', { any: ['trunk-a', 'trunk-b'] }],
      },
      internal: {
        label: 'Calls between the floors',
        serves: 'hq',
        owner: 'ict',
        'hold-up': '5min',
        needs: ['phones-1', 'phones-2', 'pbx'],
      },
    },
    accepted: {
      pbx: {
        by: 'R. de Vries, head of ICT',
        reason: 'the second exchange comes with the new building',
        review: inDays(200),
      },
      'sw-core': {
        by: 'R. de Vries, head of ICT',
        reason: 'a spare stands beside it, changed within an hour',
        review: inDays(200),
      },
    },
    absent: ['access-point', 'dect', 'cooling', 'collector'],
  }
}

interface FeedFacts {
  readonly rack: number
  readonly circuit: string
  readonly installed: string
  readonly runtimeMin: number
}

/** From the street to the power strip in the rack. */
function feed(
  letter: 'a' | 'b',
  { rack, circuit, installed, runtimeMin }: FeedFacts,
): Readonly<Record<string, unknown>> {
  const upper = letter.toUpperCase()
  const [mains, panel, battery, ups] = ['mains', 'panel', 'battery', 'ups'].map(
    (kind) => `${kind}-${letter}`,
  )
  const owned = { owner: 'facilities', site: 'hq' }
  const inRack = { ...owned, place: `${ROOM}, rack ${rack}` }
  return {
    [`mains-${letter}`]: {
      ...owned,
      kind: 'mains',
      label: `Mains ${upper}`,
      place: `Cellar, meter cupboard ${upper}`,
    },
    [`panel-${letter}`]: {
      ...owned,
      kind: 'panel',
      label: `Distribution board ${upper}`,
      place: 'Cellar, switch room',
      circuit,
      needs: [mains],
    },
    [`battery-${letter}`]: {
      ...inRack,
      kind: 'battery',
      label: `Battery of UPS ${upper}`,
      'battery-installed': installed,
      runtime: `${runtimeMin}min`,
      contract: CONTRACT,
    },
    [`ups-${letter}`]: {
      ...inRack,
      kind: 'ups',
      label: `UPS ${upper}`,
      circuit,
      serial: `LAB-2201-00${rack}`,
      contract: CONTRACT,
      needs: [{ any: [panel, battery] }],
      watch: { measurement: 'ups', target: ups },
    },
    [`pdu-${letter}`]: {
      ...inRack,
      kind: 'pdu',
      label: `Power strip ${upper}`,
      needs: [ups],
      watch: { measurement: 'pdu', target: `pdu-${letter}` },
    },
  }
}

/** Exchange, switches, lines and phones. */
function network(phonesPerFloor: number): Readonly<Record<string, unknown>> {
  const owned = { owner: 'ict', site: 'hq' }
  const inRoom = { ...owned, place: `${ROOM}, rack 3` }
  const eitherStrip = { any: ['pdu-a', 'pdu-b'] }
  const floor = (number: number, strip: string): Readonly<Record<string, unknown>> => ({
    ...owned,
    kind: 'switch',
    label: `Switch of floor ${number}`,
    place: `Floor ${number}, cupboard`,
    needs: [strip, 'sw-core'],
  })
  const phones = (number: number): Readonly<Record<string, unknown>> => ({
    ...owned,
    kind: 'phone',
    label: `Phones of floor ${number}`,
    place: `Floor ${number}`,
    count: phonesPerFloor,
    needs: [`sw-${number}`],
  })
  return {
    'sw-core': { ...inRoom, kind: 'switch', label: 'Core switch', needs: [eitherStrip] },
    pbx: { ...inRoom, kind: 'pbx', label: 'Telephone exchange', needs: [eitherStrip, 'sw-core'] },
    'sw-1': floor(1, 'pdu-a'),
    'sw-2': floor(2, 'pdu-b'),
    'ntu-a': { ...inRoom, kind: 'ntu', label: 'Box of carrier A', needs: ['pdu-a'] },
    'ntu-b': { ...inRoom, kind: 'ntu', label: 'Box of carrier B', needs: ['pdu-b'] },
    'trunk-a': {
      kind: 'trunk',
      label: 'Leased line of carrier A',
      owner: 'carrier-a',
      needs: ['ntu-a', 'sw-core'],
    },
    'trunk-b': {
      kind: 'trunk',
      label: 'Line of carrier B',
      owner: 'carrier-b',
      needs: ['ntu-b', 'sw-core'],
      watch: { measurement: 'agent', target: 'gw-carrier-b' },
    },
    reception: {
      ...owned,
      kind: 'phone',
      label: 'Phone of reception',
      place: 'Floor 1, entrance',
      needs: ['sw-1'],
    },
    'phones-1': phones(1),
    'phones-2': phones(2),
  }
}
