import type { ChildProcess } from 'node:child_process'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { end, saying, type Rig, type Space } from './rig.ts'

const CONTROL_PORT = 4444

export interface PhoneOptions {
  readonly space: Space
  readonly address: string
  /** As in baresip's accounts: PCMA/8000/1. */
  readonly codecs: string
  readonly transport?: 'udp' | 'tcp'
  readonly encryption?: 'srtp' | 'srtp-mand' | 'dtls_srtp'
  /** A SIP proxy through which calls go. */
  readonly proxy?: string
  readonly modules?: readonly string[]
}

/** A real SIP user agent with a tone for a microphone and no loudspeaker, told what to do over its control port. */
export class Phone {
  readonly child: ChildProcess
  readonly #rig: Rig
  readonly #space: Space

  private constructor(rig: Rig, space: Space, child: ChildProcess) {
    this.#rig = rig
    this.#space = space
    this.child = child
  }

  static async start(rig: Rig, options: PhoneOptions): Promise<Phone> {
    const { space, address, codecs, transport = 'udp', encryption, proxy, modules = [] } = options
    const folder = join(rig.folder, space)
    await mkdir(folder, { recursive: true })
    await writeFile(
      join(folder, 'config'),
      configuration(modules, address.includes(':') ? '[::]' : '0.0.0.0'),
    )
    await writeFile(join(folder, 'contacts'), '')
    const host = address.includes(':') ? `[${address}]` : address
    const account = [
      `<sip:phone-12345@${host};transport=${transport}>`,
      'regint=0',
      'answermode=auto',
      `audio_codecs=${codecs}`,
      ...(encryption === undefined ? [] : [`mediaenc=${encryption}`]),
      ...(proxy === undefined ? [] : [`outbound="sip:${proxy}"`]),
    ].join(';')
    await writeFile(join(folder, 'accounts'), `${account}\n`)
    const family = address.includes(':') ? '-6' : '-4'
    const child = rig.run(space, ['baresip', family, '-f', folder])
    await saying(child, 'baresip is ready')
    return new Phone(rig, space, child)
  }

  /** Dials and waits until both sides say that the call is up. */
  async call(callee: Phone, uri: string): Promise<void> {
    const established = [this, callee].map(async ({ child }) => {
      await saying(child, 'Call established')
    })
    await this.command('dial', uri)
    await Promise.all(established)
  }

  /** One command of baresip's menu: dial, hold, resume, sndcode, hangup. */
  async command(name: string, params = ''): Promise<void> {
    const message = JSON.stringify({ command: name, params })
    const script = `
      const socket = require('node:net').connect(${CONTROL_PORT}, '127.0.0.1', () => {
        socket.end(${JSON.stringify(`${message.length}:${message},`)})
      })
      socket.on('data', () => socket.destroy())`
    const child = this.#rig.run(this.#space, [process.execPath, '-e', script])
    await new Promise((resolve) => child.once('exit', resolve))
  }

  async stop(): Promise<void> {
    await end(this.child)
  }
}

function configuration(modules: readonly string[], anyAddress: string): string {
  const all = ['g711.so', 'ausine.so', 'aufile.so', ...modules]
  return `poll_method epoll
sip_listen ${anyAddress}:5060
audio_player aufile,/dev/null
audio_source ausine,400
audio_alert aufile,/dev/null
ausrc_srate 48000
auplay_srate 48000
ausrc_channels 2
auplay_channels 2
rtp_ports 10000-10002
ctrl_tcp_listen 127.0.0.1:${CONTROL_PORT}
module_path /usr/lib/baresip/modules
${all.map((name) => `module ${name}\n`).join('')}module_app account.so
module_app menu.so
module_app ctrl_tcp.so
`
}
