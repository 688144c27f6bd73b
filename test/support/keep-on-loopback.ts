// Preloaded (`node --import`) into servers that others wrote. Every listener of the process is kept on 127.0.0.1, its port is told to
// the parent process, and the process ends with its parent.
import { type AddressInfo, Server } from 'node:net'

type Listen = (this: Server, ...parameters: unknown[]) => Server

const listen = Server.prototype.listen as Listen

const listenOnLoopback: Listen = function (...parameters) {
  const [first] = parameters
  const isPort = typeof first === 'number' || (typeof first === 'string' && /^\d+$/.test(first))
  const isOptions = typeof first === 'object' && first !== null && 'port' in first
  if (!isPort && !isOptions && first !== undefined) throw new Error('only TCP ports are listened on here')
  const options = isOptions ? { ...first, host: '127.0.0.1' } : { port: Number(first ?? 0), host: '127.0.0.1' }
  this.once('listening', () => process.send?.({ port: (this.address() as AddressInfo).port }))
  return listen.call(
    this,
    options,
    parameters.find((parameter) => typeof parameter === 'function'),
  )
}
Server.prototype.listen = listenOnLoopback as typeof Server.prototype.listen

process.once('disconnect', () => process.exit())
