import { once } from 'node:events'
import { createServer, type Server, type Socket } from 'node:net'

const MAX_LINE = 512

export interface LabUps {
  readonly name: string
  readonly description: string
  /** NUT variables, such as ups.status and battery.charge. */
  readonly variables: ReadonlyMap<string, string>
}

/** A UPS server that speaks the reading half of the NUT protocol (RFC 9271): LIST UPS, LIST VAR, GET VAR, VER, NETVER, LOGOUT. */
export class LabUpsd {
  readonly #server: Server
  readonly #sockets = new Set<Socket>()

  constructor(units: readonly LabUps[]) {
    this.#server = createServer((socket) => {
      this.#sockets.add(socket)
      socket.setEncoding('utf8')
      let pending = ''
      socket.on('data', (chunk: string) => {
        const lines = (pending + chunk).split('\n')
        pending = lines.pop() ?? ''
        if (pending.length > MAX_LINE) socket.destroy()
        for (const line of lines) {
          const words = wordsIn(line)
          socket.write(answer(units, words))
          if (words[0] === 'LOGOUT') socket.end()
        }
      })
      socket.on('error', () => socket.destroy())
      socket.on('close', () => this.#sockets.delete(socket))
    })
  }

  /** Listens on a free port of 127.0.0.1 and says which. */
  async open(): Promise<number> {
    this.#server.listen(0, '127.0.0.1')
    await once(this.#server, 'listening')
    const address = this.#server.address()
    if (address === null || typeof address === 'string') throw new Error('no port')
    return address.port
  }

  close(): void {
    for (const socket of this.#sockets) socket.destroy()
    this.#server.close()
  }
}

/** Words may stand in quotes, as names do that a client took from elsewhere. */
function wordsIn(line: string): readonly string[] {
  return [...line.matchAll(/"([^"]*)"|[^\s"]+/g)].map(([word, quoted]) => quoted ?? word)
}

function answer(units: readonly LabUps[], words: readonly string[]): string {
  const [verb, what, unitName, variable] = words
  if (verb === 'VER') return 'Kiestoon lab UPS server\n'
  if (verb === 'NETVER') return '1.3\n'
  if (verb === 'LOGOUT') return 'OK Goodbye\n'
  if (verb === 'LIST' && what === 'UPS') {
    const rows = units.map(({ name, description }) => `UPS ${name} ${quoted(description)}\n`)
    return `BEGIN LIST UPS\n${rows.join('')}END LIST UPS\n`
  }
  if ((verb !== 'LIST' && verb !== 'GET') || what !== 'VAR') return 'ERR UNKNOWN-COMMAND\n'
  const unit = units.find(({ name }) => name === unitName)
  if (!unit) return 'ERR UNKNOWN-UPS\n'
  if (verb === 'LIST') {
    const rows = [...unit.variables].map(
      ([key, value]) => `VAR ${unit.name} ${key} ${quoted(value)}\n`,
    )
    return `BEGIN LIST VAR ${unit.name}\n${rows.join('')}END LIST VAR ${unit.name}\n`
  }
  const value = unit.variables.get(variable ?? '')
  return value === undefined
    ? 'ERR VAR-NOT-SUPPORTED\n'
    : `VAR ${unit.name} ${variable} ${quoted(value)}\n`
}

function quoted(value: string): string {
  return `"${value.replace(/["\\]/g, '\\$&')}"`
}
