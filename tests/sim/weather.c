/* What befalls the whole world: somebody sets the wall clock, the server answers late or was started again,
 * conditions never come to hold. Drawn from numbers of its own, so that the rest of a seed stays what it was.
 */
#include "sim.h"

enum { CLOCKS_MAX = 3, LATE_MAX_MS = 6000, HANDS_MAX = 40 };

/* splitmix64 of the seed and what is drawn. */
static uint64_t draw(const struct sim *sim, uint64_t what)
{
    uint64_t z = sim->seed * 0x9e3779b97f4a7c15 + (what + 1) * 0xd1342543de82ef95;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return z ^ (z >> 31);
}

static int64_t draw_range(const struct sim *sim, uint64_t what, int64_t low, int64_t high)
{
    return low + (int64_t)(draw(sim, what) % (uint64_t)(high - low + 1));
}

enum { DRAW_CLOCK, DRAW_LATE = 16, DRAW_LOSSY = 24, DRAW_NEVER = 32, DRAW_HANDS = 128, DRAW_TURNS = 319 };

/* By a second, a minute, an hour, or a day, to and fro. */
static void clocks_draw(struct sim *sim)
{
    static const int64_t steps[] = {1000, 61000, 3600 * 1000, 24 * 3600 * 1000};
    if (draw_range(sim, DRAW_CLOCK, 0, 9) > 1)
        return;
    for (uint64_t i = 1; i <= CLOCKS_MAX; i++) {
        int64_t by = steps[draw_range(sim, DRAW_CLOCK + i, 0, LENGTH_OF(steps) - 1)];
        bool back = draw_range(sim, DRAW_CLOCK + 4 + i, 0, 1);
        happen(sim, draw_range(sim, DRAW_CLOCK + 8 + i, 0, 8000), HAPPEN_CLOCK,
               (struct sup_event){.kind = SUP_CLOCK, .number = back ? -by : by});
    }
}

/* Somebody who does not leave it alone, most of all what has ended. */
static void hands_draw(struct sim *sim)
{
    if (draw_range(sim, DRAW_HANDS, 0, 24) > 0)
        return;
    sim->by_hand = true;
    for (uint64_t i = 1; i <= HANDS_MAX; i++) {
        uint64_t at = DRAW_HANDS + 2 * i;
        happen(sim, draw_range(sim, at, 0, 6000), HAPPEN_HAND,
               (struct sup_event){
                   .kind = (enum sup_event_kind)draw_range(sim, at + 1, SUP_START_TASKS, SUP_FILES_CHANGED)});
    }
    happen(sim, 20000, HAPPEN_EVENT, (struct sup_event){.kind = SUP_DOWN});
}

void weather_draw(struct sim *sim)
{
    clocks_draw(sim);
    hands_draw(sim);
    sim->turns = draw_range(sim, DRAW_TURNS, 0, 3) == 0;
    sim->lossy = draw_range(sim, DRAW_LOSSY, 0, 24) == 0;
    if (draw_range(sim, DRAW_LATE, 0, 9) == 0)
        happen(sim, draw_range(sim, DRAW_LATE + 1, 0, 5000), HAPPEN_LATE, (struct sup_event){0});
}

/* Of some workers the `when` never holds: only a stop ends such a run. */
void weather_conditions(struct sim *sim)
{
    if (draw_range(sim, DRAW_NEVER, 0, 19) > 0)
        return;
    for (size_t i = 0; i < sim->graph.plan.worker_count; i++) {
        sim->graph.never[i] = sim->graph.workers[i].when && draw_range(sim, DRAW_NEVER + 1 + i, 0, 1);
        sim->graph.needs_stop |= sim->graph.never[i];
        sim->coverage.never += sim->graph.never[i];
    }
}

void weather_do(struct sim *sim, const struct happening *what)
{
    if (what->kind == HAPPEN_LATE) {
        int64_t until = sim->now + draw_range(sim, DRAW_LATE + 2, 500, LATE_MAX_MS);
        sim->channel = until > sim->channel ? until : sim->channel;
        sim->coverage.server_late++;
        return;
    }
    sim->clock += what->event.number;
    sim->clock_steps++;
    sim->coverage.clock_back += what->event.number < 0;
    sim->coverage.clock_forward += what->event.number > 0;
    world_step(sim, what->event);
}
