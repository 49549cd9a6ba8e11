// Preloaded into what the lab starts (node --import): ends the process when the lab is gone, however it went.
const PARENT_POLL_MS = 1000

const parent = process.ppid
setInterval(() => {
  if (process.ppid !== parent) process.kill(process.pid, 'SIGTERM')
}, PARENT_POLL_MS).unref()
