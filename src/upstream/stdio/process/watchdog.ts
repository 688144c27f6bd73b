import { type ChildProcess, spawn } from 'node:child_process'

/**
 * Reads `+ <group>` and `- <group>` and remembers which process groups run. Its input ends when we do, however we do: then they get a
 * second to notice that theirs has ended too, another one after SIGTERM, and are killed. POSIX shell; group ids are all it ever reads.
 */
const SCRIPT = `
trap '' HUP INT TERM
groups=' '
while read -r change group; do
  case $change in
    +) groups="$groups$group " ;;
    -) case $groups in *" $group "*) groups="\${groups%% $group *} \${groups#* $group }" ;; esac ;;
  esac
done
[ "$groups" = ' ' ] && exit 0
sleep 1
for group in $groups; do kill -s TERM -- "-$group" 2>/dev/null; done
sleep 1
for group in $groups; do kill -s KILL -- "-$group" 2>/dev/null; done
exit 0
`

/** Most times that a watchdog which ended is started again. */
const MAX_STARTS = 10

/**
 * Ends the process groups of children when this process is gone, SIGKILL included: a child that doesn't end with its input would live
 * on otherwise. One small shell for all children. Where there is no POSIX shell, children are left to the end of their input.
 */
export class Watchdog {
  readonly #groups = new Set<number>()
  readonly #onEvent: (event: string) => void
  #shell: ChildProcess | undefined
  #starts = 0

  /** @param onEvent - hears when there can be no watchdog */
  constructor(onEvent: (event: string) => void) {
    this.#onEvent = onEvent
  }

  /** Watches over a process group. Its id goes out before anything else happens in this process. */
  add(group: number): void {
    this.#groups.add(group)
    if (this.#shell) this.#write(`+ ${group}\n`)
    else this.#start()
  }

  remove(group: number): void {
    if (this.#groups.delete(group)) this.#write(`- ${group}\n`)
    if (this.#groups.size === 0) this.#rest()
  }

  #start(): void {
    if (process.platform === 'win32') return
    try {
      this.#shell = this.#spawn()
      this.#write([...this.#groups].map((group) => `+ ${group}\n`).join(''))
    } catch (error) {
      this.#report(error as Error)
    }
  }

  /** Undefined when it could not be started; the next child is another occasion. */
  #spawn(): ChildProcess | undefined {
    const shell = spawn('/bin/sh', ['-c', SCRIPT], {
      stdio: ['pipe', 'ignore', 'ignore'],
      env: { PATH: '/usr/bin:/bin' },
      cwd: '/',
      // Out of reach of the signals that a terminal or a process manager sends to our group.
      detached: true,
    })
    shell.on('error', (error) => this.#report(error))
    if (shell.pid === undefined) return undefined
    shell.on('exit', () => this.#restart(shell))
    const stdin = shell.stdin as NonNullable<typeof shell.stdin> & { unref?: () => void }
    stdin.on('error', () => undefined)
    shell.unref()
    stdin.unref?.()
    return shell
  }

  #report(error: Error): void {
    this.#onEvent(`children are not ended if the proxy is killed: ${error.message}`)
  }

  #restart(shell: ChildProcess): void {
    if (this.#shell !== shell) return
    this.#shell = undefined
    if (this.#groups.size > 0 && this.#starts++ < MAX_STARTS) this.#start()
  }

  /** Nothing to watch: it ends with its input. */
  #rest(): void {
    const shell = this.#shell
    this.#shell = undefined
    this.#starts = 0
    shell?.stdin?.end()
  }

  #write(text: string): void {
    if (text !== '') this.#shell?.stdin?.write(text)
  }
}
