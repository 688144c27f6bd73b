#!/usr/bin/env node
// Old Nodes must be able to read this file: no syntax younger than Node 14, and no static import. Those are resolved before the first
// line runs, and a name that an old Node lacks would end in a SyntaxError.
// Node would open its inspector, through which every local user could run code in this process.
process.on('SIGUSR1', () => undefined)
void import('./node-version.ts')
  .then(({ findNodeTrouble }) => {
    const trouble = findNodeTrouble(process.versions.node)
    if (trouble === undefined) return import('./start.ts').then(({ start }) => start())
    process.stderr.write(`error ${trouble}\n`)
    return () => 1
  })
  .then((readCode) => {
    // Open sockets must not keep the process alive. Flush the output, unless its reader is gone.
    const leave = () => process.exit(readCode())
    // A stream tells of output that was lost only when this turn has ended.
    setImmediate(() => process.stdout.write('', leave))
    setTimeout(leave, 500)
  })
