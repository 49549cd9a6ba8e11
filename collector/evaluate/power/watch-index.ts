import type { Measurement } from '../../../common/measurement.ts'
import type { Component, Service, Watch } from '../../topology/dependency.ts'
import type { Model } from '../../topology/model.ts'

/** Something of the site file that a point tells about. */
export type Watched =
  | { readonly component: Component; readonly service?: undefined }
  | { readonly service: Service; readonly component?: undefined }

type Entry = Watched & { readonly agent?: string | undefined }

const NOBODY: readonly Watched[] = []
const KEPT = new WeakMap<Model, WatchIndex>()

/** Made once for a drawing: every point asks it. */
export function watchIndexOf(model: Model): WatchIndex {
  const known = KEPT.get(model)
  if (known !== undefined) return known
  const made = new WatchIndex(model)
  KEPT.set(model, made)
  return made
}

/** Which components and services watch what. */
export class WatchIndex {
  readonly #entries = new Map<string, Entry[]>()

  constructor({ drawing: { components, services } }: Model) {
    for (const component of components.values()) this.#add(component.watch, { component })
    for (const service of services.values()) this.#add(service.watch, { service })
  }

  /** @param target of the point; of what an agent says of itself or its machine, the name of the agent */
  find({ name, tags }: Measurement): readonly Watched[] {
    if (this.#entries.size === 0) return NOBODY
    const { agent = '', target = agent } = tags
    return this.lookUp(name, target, agent)
  }

  /** @param agent '' for whichever */
  lookUp(measurement: string, target: string, agent: string): readonly Watched[] {
    // A NUT unit is name@server; where the name alone is watched, any server's will do.
    const found =
      this.#entries.get(keyOf(measurement, target)) ??
      this.#entries.get(keyOf(measurement, target.split('@', 1)[0] ?? ''))
    if (found === undefined) return NOBODY
    return agent === ''
      ? found
      : found.filter((entry) => entry.agent === undefined || entry.agent === agent)
  }

  #add(watch: Watch | undefined, watched: Watched): void {
    if (watch === undefined) return
    const { measurement, target, agent } = watch
    const key = keyOf(measurement, target)
    const entry = { ...watched, agent }
    const known = this.#entries.get(key)
    if (known === undefined) this.#entries.set(key, [entry])
    else known.push(entry)
  }
}

function keyOf(measurement: string, target: string): string {
  return `${measurement}\n${target}`
}
