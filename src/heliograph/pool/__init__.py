"""Workers started, watched, replaced and shared out: one renderer over many processes.

```
pool.py        the face: checks views, posts calls, waits for futures
  └ loop.py         one lock, one selector; makes a step of what was posted and what workers say
      └ dispatcher.py    takes answers, gives orders; asks and tells these four:
          ├ scheduler.py      which order waits, which worker has it        (pure)
          ├ supervisor.py     which workers there are, and when they are replaced
          │   └ worker_handle.py   one process: channel, status page
          ├ buffers.py        shared memory
          └ history.py        changes of the scene
jobs.py        an order's message, and what is made of its answer
futures.py     futures whose waiting thread runs the loop, and what a step puts off
options.py     settings
```

The walk of one view:

1. `Pool.submit` checks the view, packs it, and makes a `SampleOrder` with a `PoolFuture`.
2. It posts the order to the loop, which makes a *step* right there, in the caller's thread.
3. The dispatcher gives the order to the scheduler, which leases it to the worker with the least to
   do: a new ticket. The order gets memory, and its message goes into the worker's socket.
4. The worker writes the ticket into its status page, draws into the memory, and sends `Done`.
5. Who waits for the future runs the loop meanwhile, so it is that thread which hears the answer;
   if nobody waits, the pool's own thread does. The scheduler strikes the lease out.
6. After the step, without the lock, the order makes the sample of its memory for the future.

If the worker dies instead, the supervisor says how it ended once the process is surely gone; the
scheduler puts its orders back, except for one that killed too many; and another worker is started.
"""

from heliograph.pool.options import Launcher, PoolOptions
from heliograph.pool.pool import Pool, PoolStats, WorkerStats

__all__ = ["Launcher", "Pool", "PoolOptions", "PoolStats", "WorkerStats"]
