/** What is to be said of an imported file. */
export interface Note {
  /** error: something was left out that was meant to come in. note: to be looked at. */
  readonly severity: 'error' | 'note'
  readonly file: string
  /** Counted from 1; absent where the whole file is meant. */
  readonly line?: number
  readonly column?: number
  /** What, and what to do. */
  readonly message: string
}

/** `file:line:column: error: what` */
export function noteText({ severity, file, line, column, message }: Note): string {
  const place = line === undefined ? file : `${file}:${line}:${column ?? 1}`
  return `${place}: ${severity === 'error' ? 'error: ' : ''}${message}`
}
