"""Every command that this product sends to Redis, as an ACL names them: what its user may do, and all that it may do.

The embedded server and docker-compose.yml allow these and no other, and the tests run under them, so that a command that is missing here
fails there. Absent on purpose: CONFIG, MODULE, DEBUG, SHUTDOWN, ACL, KEYS, FLUSHALL, MONITOR, REPLICAOF, MIGRATE, RESTORE, FUNCTION.
Scripts are sent whole where the server does not know them (Redis 6.2 has no other way), so EVAL is here; nobody else has a user.
"""

COMMANDS = (
    # connections; what an older server does not know (CLIENT SETINFO) is not sent to it
    *("ping", "select", "hello", "client|setname", "client|id"),
    *("publish", "subscribe", "unsubscribe"),
    *("multi", "exec", "discard", "watch", "unwatch"),
    *("eval", "evalsha", "time"),
    *("del", "unlink", "exists", "expire", "expireat", "pexpire", "ttl", "pttl", "type", "scan"),
    *("get", "set", "mget", "getrange", "strlen", "incr"),
    *("hset", "hsetnx", "hget", "hmget", "hgetall", "hdel", "hexists", "hincrby", "hkeys", "hlen", "hscan"),
    *("sadd", "srem", "srandmember", "scard", "sscan"),
    *("zadd", "zcard", "zcount", "zrandmember", "zrange", "zrangebyscore", "zrank", "zscore"),
    *("zrem", "zremrangebyrank", "zremrangebyscore"),
)
