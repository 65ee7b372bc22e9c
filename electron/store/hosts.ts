/** Tables `hosts`, what hosts were seen to take, and `host_rules`, what the user says about them. */
import { HostRule } from '../../shared/host-schemas.ts'
import type { HostRecord, TaskStore } from '../../shared/records.ts'
import type { Connection, StoreLogger } from './database.ts'

type Hosts = Pick<TaskStore, 'hosts' | 'saveHosts' | 'forgetHost' | 'hostRules' | 'setHostRule' | 'removeHostRule'>

/** A rule that can be read; a field that cannot is left out, and the settings decide in its place. */
function readRule(pattern: string, text: string, logger: StoreLogger): HostRule | null {
  const warn = () => logger.warn({ pattern }, 'a stored rule for hosts is unreadable in part and was left out there')
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    // the text itself may hold a password
    warn()
    return null
  }
  const whole = HostRule.safeParse({ ...(value as object), pattern })
  if (whole.success) return whole.data
  warn()
  const fields = Object.entries(value ?? {}).filter(
    ([key, field]) => HostRule.shape[key as keyof HostRule]?.safeParse(field).success ?? false,
  )
  const rest = HostRule.safeParse({ ...Object.fromEntries(fields), pattern })
  return rest.success ? rest.data : null
}

export function createHosts({ db, intent, progress }: Connection, logger: StoreLogger): Hosts {
  const select = db.prepare<[number], HostRecord>(
    `SELECT host, allowance, not_before AS notBefore, complaint_status AS complaintStatus,
       complaint_at AS complaintAt, complaints FROM hosts WHERE complaint_at > ? ORDER BY host`,
  )
  const upsert = db.prepare<[HostRecord]>(
    `INSERT INTO hosts (host, allowance, not_before, complaint_status, complaint_at, complaints)
     VALUES (@host, @allowance, @notBefore, @complaintStatus, @complaintAt, @complaints)
     ON CONFLICT (host) DO UPDATE SET allowance = excluded.allowance, not_before = excluded.not_before,
       complaint_status = excluded.complaint_status, complaint_at = excluded.complaint_at,
       complaints = excluded.complaints`,
  )
  const remove = db.prepare<[string]>('DELETE FROM hosts WHERE host = ?')
  const removeOld = db.prepare<[number]>('DELETE FROM hosts WHERE complaint_at <= ?')
  const selectRules = db.prepare<[], { pattern: string; rule: string }>(
    'SELECT pattern, rule FROM host_rules ORDER BY pattern',
  )
  const upsertRule = db.prepare<[string, string]>(
    'INSERT INTO host_rules (pattern, rule) VALUES (?, ?) ON CONFLICT (pattern) DO UPDATE SET rule = excluded.rule',
  )
  const removeRule = db.prepare<[string]>('DELETE FROM host_rules WHERE pattern = ?')

  return {
    hosts: (since) => select.all(since),
    saveHosts(hosts, since) {
      progress(() => {
        removeOld.run(since)
        for (const host of hosts) upsert.run(host)
      })
    },
    forgetHost(host) {
      progress(() => remove.run(host))
    },
    hostRules: () =>
      selectRules
        .all()
        .map(({ pattern, rule }) => readRule(pattern, rule, logger))
        .filter((rule) => rule !== null),
    setHostRule({ pattern, ...rule }) {
      intent(() => upsertRule.run(pattern, JSON.stringify(rule)))
    },
    removeHostRule: (pattern) => intent(() => removeRule.run(pattern).changes > 0),
  }
}
