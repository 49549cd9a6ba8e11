/** Dot decimals, leading zeros, no exponent, nothing around it: what NUT and the kernel promise, and nothing looser. */
export function strictNumber(text: string | undefined): number | undefined {
  return text !== undefined && /^[+-]?\d{1,15}(?:\.\d{1,15})?$/.test(text)
    ? Number(text)
    : undefined
}
