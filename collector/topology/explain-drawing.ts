import { closest } from '../../common/closest.ts'
import { Families } from './cut-sets.ts'
import type { Explained, Finding } from './finding.ts'
import type { SiteFile } from './site-file.ts'

/** Services are looked at one by one; beyond so many nobody reads on. */
const MAX_HINTED_SITES = 20

/** What is drawn and not used, what is named and not there, and who answered for what. */
export function explainDrawing(explained: Explained): readonly Finding[] {
  return [
    ...withoutServices(explained),
    ...unneeded(explained),
    ...acceptances(explained),
    ...strangeSites(explained),
    ...dates(explained),
    ...twice(explained),
    ...emergencies(explained),
  ]
}

function withoutServices({ model }: Explained): readonly Finding[] {
  if (model.services.length > 0) return []
  return [
    {
      severity: 'warning',
      code: 'no-services',
      path: ['components'],
      message: 'no services are drawn: nothing says what people lose when something fails',
      remedy: 'add services, such as call-out: { needs: [sw-1, pbx, trunk-a], serves: hq }',
    },
  ]
}

function unneeded({ file, model }: Explained): readonly Finding[] {
  if (model.services.length === 0) return []
  const used = new Set<number>(model.services.flatMap(({ below }) => below))
  const machines = new Set(Object.values(file.agents).map((agent) => agent['runs-on']))
  return model.components.flatMap(({ component: { id }, above }, index) =>
    above.length > 0 || used.has(index) || machines.has(id) || !Object.hasOwn(file.components, id)
      ? []
      : [
          {
            severity: 'warning' as const,
            code: 'unneeded',
            path: ['components', id],
            message: 'nothing needs it, neither a component nor a service',
            remedy: 'name it in the needs of what hangs on it, or take it out',
          },
        ],
  )
}

function acceptances({ file, model, today }: Explained): readonly Finding[] {
  const accepted = Object.entries(file.accepted)
  if (accepted.length === 0) return []
  const families = new Families(model, 1)
  const singles = new Set(
    model.services.flatMap(({ needs }) => families.cutSets(needs).sets.flat()),
  )
  return accepted.flatMap(([id, { by, review }]): Finding[] => {
    const path = ['accepted', id]
    if (!singles.has(id))
      return [
        {
          ...{ severity: 'warning', code: 'not-single', path },
          message: 'it is accepted, but no service falls by its failure alone',
          remedy: 'take the acceptance out: it is mended, or was never meant',
        },
      ]
    if (review >= today) return []
    return [
      {
        ...{ severity: 'warning', code: 'review-passed', path: [...path, 'review'] },
        message: `it was to be looked at again on ${review}`,
        remedy: `ask ${by} whether it stays, and write the next day down`,
      },
    ]
  })
}

/** Sites need not be declared: one that is spelt differently only once is a slip. */
function strangeSites({ file }: Explained): readonly Finding[] {
  const known = new Set(sitesOf(file))
  if (known.size === 0) return []
  const named = [
    ...Object.entries(file.components).map(([id, it]) => ['components', id, 'site', it.site]),
    ...Object.entries(file.services).map(([id, it]) => ['services', id, 'serves', it.serves]),
  ] as const
  let hints = 0
  return named.flatMap(([kind = '', id = '', key = '', site]): Finding[] => {
    if (site === undefined || known.has(site)) return []
    const near = hints++ < MAX_HINTED_SITES ? closest(site, [...known]) : undefined
    return [
      {
        ...{ severity: 'warning', code: 'unknown-site', path: [kind, id, key] },
        message: `no network and nothing under sites is at "${site}"`,
        remedy:
          near === undefined
            ? `add sites: { ${site}: {} }, or name one of ${[...known].slice(0, 5).join(', ')}`
            : `did you mean "${near}"? Else add sites: { ${site}: {} }`,
      },
    ]
  })
}

function sitesOf(file: SiteFile): readonly string[] {
  return [
    ...Object.keys(file.sites),
    ...Object.keys(file.emergency.sites),
    ...Object.values(file.networks).flatMap(({ site }) => site ?? []),
  ]
}

function dates({ file, today }: Explained): readonly Finding[] {
  return Object.entries(file.components).flatMap(([id, component]): Finding[] => {
    const installed = component['battery-installed']
    if (installed === undefined || installed <= today) return []
    return [
      {
        severity: 'warning',
        code: 'future-battery',
        path: ['components', id, 'battery-installed'],
        message: `${installed} is still to come`,
        remedy: 'write the day the battery was put in',
      },
    ]
  })
}

/** One serial number at two components, one port of a switch with two phones. */
function twice({ file }: Explained): readonly Finding[] {
  const seen = new Map<string, string>()
  return Object.entries(file.components).flatMap(([id, { serial, poe, needs }]): Finding[] => {
    const [feeder] = needs.filter((need) => typeof need === 'string')
    const marks = [
      ...(serial === undefined ? [] : [['serial', `serial number ${serial}`] as const]),
      ...(poe?.port === undefined || feeder === undefined
        ? []
        : [['poe', `port ${poe.port} of ${feeder}`] as const]),
    ]
    return marks.flatMap(([key, mark]): Finding[] => {
      const other = seen.get(mark)
      seen.set(mark, other ?? id)
      if (other === undefined) return []
      return [
        {
          ...{ severity: 'warning', code: 'twice', path: ['components', id, key] },
          message: `${mark} is that of ${other} too`,
          remedy: 'correct one of the two',
        },
      ]
    })
  })
}

function emergencies({ file, model }: Explained): readonly Finding[] {
  const services = [...model.drawing.services.values()].filter(({ isEmergency }) => isEmergency)
  if (services.length === 0)
    return [
      {
        ...{ severity: 'hint', code: 'no-emergency', path: ['services'] },
        message: 'no service is for emergency calls: whether 112 has power is not judged',
        remedy:
          'add one, such as emergency-112: { needs: [...], serves: hq, hold-up: 60min }; its phones, its way out, its power',
      },
    ]
  const chained = new Set(services.flatMap(({ serves }) => serves ?? []))
  const named = Object.entries(file.emergency.sites).flatMap(([site, { service }]): Finding[] =>
    service !== undefined || chained.has(site)
      ? []
      : [
          {
            ...{ severity: 'hint', code: 'no-emergency', path: ['emergency', 'sites', site] },
            message: `no emergency service serves ${site}: whether 112 has power there is not judged`,
            remedy: `name it here (service: ...), or say serves: ${site} at the service`,
          },
        ],
  )
  const withoutHoldUp = services
    .filter(({ holdUpS }) => holdUpS === undefined)
    .map(({ id }): Finding => ({
      ...{ severity: 'hint', code: 'no-hold-up', path: ['services', id] },
      message: 'an emergency service that does not say how long it works without mains',
      remedy: 'add hold-up: 60min, or what was agreed',
    }))
  return [...named, ...withoutHoldUp]
}
