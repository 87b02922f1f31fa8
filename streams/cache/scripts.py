"""Atomic steps on an entry. All keys of one script share the hash tag of their tenant and scenario."""

from adapters.redis.client import Script

# '-' in place of a lease: the last computation stored nothing, and callers do not wait for another one
ANSWER, MINE, HELD, ALONE = 0, 1, 2, 3  # the statuses of ENTER

# KEYS index, entry, lease, marks...; ARGV identity of an entry that is unusable ("" = none), token, life of the lease in ms, member,
# life of the index in ms, 1 to take the lease from any holder. Replies a status, then the entry, or the holder, and the marks.
# A lease with old marks counts as free: its holder computes from data that has changed.
ENTER = Script("""
local marks = {}
for i = 4, #KEYS do marks[i - 3] = redis.call('GET', KEYS[i]) or '' end
local known = table.concat(marks, ',')
if ARGV[6] == '0' then
  local entry = redis.call('GET', KEYS[2])
  if entry and string.sub(entry, 2, 9) ~= ARGV[1] then return {0, entry, unpack(marks)} end
  local lease = redis.call('GET', KEYS[3])
  if lease == '-' then return {3, '', unpack(marks)} end
  if lease then
    local holder, under = string.match(lease, '^(%x+) (.*)$')
    if holder and holder ~= ARGV[2] and under == known then return {2, holder, unpack(marks)} end
  end
end
redis.call('SET', KEYS[3], ARGV[2] .. ' ' .. known, 'PX', ARGV[3])
redis.call('ZADD', KEYS[1], 0, ARGV[4])
redis.call('PEXPIRE', KEYS[1], ARGV[5])
return {1, '', unpack(marks)}
""")

# KEYS index, entry, lease; ARGV token, entry, life in ms, member, life of the index in ms, largest size of the index, members to look at.
# Replies nothing when the lease was not the caller's any more and nothing was stored, else the excess of members, then members at random.
PUT = Script("""
local lease = redis.call('GET', KEYS[3])
if not lease or string.match(lease, '^(%x+) ') ~= ARGV[1] then return {} end
redis.call('SET', KEYS[2], ARGV[2], 'PX', ARGV[3])
redis.call('DEL', KEYS[3])
redis.call('ZADD', KEYS[1], 0, ARGV[4])
redis.call('PEXPIRE', KEYS[1], ARGV[5])
local beyond = math.max(0, redis.call('ZCARD', KEYS[1]) - tonumber(ARGV[6]))
if beyond == 0 and ARGV[7] == '0' then return {0} end
return {beyond, unpack(redis.call('ZRANDMEMBER', KEYS[1], math.max(beyond, tonumber(ARGV[7]))))}
""")

# KEYS index, entry, lease; ARGV member, 1 to remove it although it lives. Replies 1 when it went.
TIDY = Script("""
if redis.call('EXISTS', KEYS[3]) == 1 or (ARGV[2] == '0' and redis.call('EXISTS', KEYS[2]) == 1) then return 0 end
redis.call('DEL', KEYS[2])
return redis.call('ZREM', KEYS[1], ARGV[1])
""")

# KEYS lease; ARGV token, life in ms.
RENEW = Script("""
local lease = redis.call('GET', KEYS[1])
if lease and string.match(lease, '^(%x+) ') == ARGV[1] then return redis.call('PEXPIRE', KEYS[1], ARGV[2]) end
return 0
""")

# KEYS lease; ARGV token, for how long callers do not wait, in ms (0: the next one takes the lease).
RELEASE = Script("""
local lease = redis.call('GET', KEYS[1])
if not lease or string.match(lease, '^(%x+) ') ~= ARGV[1] then return 0 end
if ARGV[2] == '0' then return redis.call('DEL', KEYS[1]) end
redis.call('SET', KEYS[1], '-', 'PX', ARGV[2])
return 1
""")

# KEYS entry; ARGV identity: removes an unusable entry, unless it is another one by now.
DROP = Script("""
if redis.call('GETRANGE', KEYS[1], 1, 8) == ARGV[1] then return redis.call('DEL', KEYS[1]) end
return 0
""")
