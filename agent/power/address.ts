import { isIPv6 } from 'node:net'
import { z } from 'zod'

const MAX_PORT = 65_535

/** Name or address, with the port where it is not the usual one: `ups-1`, `192.0.2.10:1161`, `[::1]:161`, `::1`. */
export function addressSetting(
  usualPort: number,
): z.ZodType<{ readonly host: string; readonly port: number }> {
  return z.string('expected an address').transform((text, context) => {
    const match = /^(?:\[([0-9a-fA-F:.]+)\]|([^\s:[\]]+))(?::(\d{1,5}))?$/.exec(text)
    const host = isIPv6(text) ? text : (match?.[1] ?? match?.[2])
    const port = Number(match?.[3] ?? usualPort)
    if (host !== undefined && port > 0 && port <= MAX_PORT) return { host, port }
    context.issues.push({
      code: 'custom',
      message:
        'expected a name or an address, such as 192.0.2.10, ups-1.example.org:1161 or [::1]:161',
      input: text,
    })
    return z.NEVER
  })
}
