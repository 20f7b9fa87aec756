/* Writes: each is one transaction that becomes one revision, or fails and leaves everything as it was. */
#include "server_priv.h"

bool job_write(struct job *job, change *apply, struct err *err)
{
    if (!claim_check(job, err) || !job_may_write(job, err))
        return false;
    AUTO_VALUE struct value *answer = NULL;
    struct txn *txn = txn_begin(job->space);
    if (!apply(job, txn, &answer, err)) {
        txn_abort(txn);
        return false;
    }
    struct str who = request_has(&job->request, session) ? request_str(&job->request, session) : STR("");
    const struct record *record = txn_commit(txn, time_wall_ms(), who, err);
    if (!record)
        return false;
    /* Waking watchers used the reply's buffers: the answer is begun only now. */
    int64_t revision = record_revision(record);
    if (job->session)
        session_wrote(job->session, job->space, revision);
    return job_answer(job, revision, answer);
}

static struct str job_key(const struct job *job)
{
    return request_str(&job->request, key);
}

static struct str job_path(const struct job *job)
{
    return request_has(&job->request, path) ? request_str(&job->request, path) : STR("");
}

static bool set_apply(struct job *job, struct txn *txn, struct value **answer, struct err *err)
{
    (void)answer;
    bool ephemeral = request_bool(&job->request, ephemeral);
    if (!write_set(txn, job_key(job), job_path(job), job->value, err))
        return false;
    /* A key that is set anew without the flag stays. */
    if (ephemeral || !request_has(&job->request, path))
        txn_own(txn, ephemeral ? job->session : NULL);
    return true;
}

bool handle_set(struct job *job, struct err *err)
{
    return ephemeral_check(job, err) && job_write(job, set_apply, err);
}

static bool del_apply(struct job *job, struct txn *txn, struct value **answer, struct err *err)
{
    (void)answer;
    if (request_has(&job->request, key))
        return write_delete(txn, job_key(job), job_path(job), err);
    const struct value *keys = job->request.field[FIELD_keys].keys, *key;
    for (size_t i = 0; (key = list_at(keys, i)); i++)
        if (!write_delete(txn, value_as_str(key), STR(""), err))
            return false;
    return true;
}

bool handle_del(struct job *job, struct err *err)
{
    bool keys = request_has(&job->request, keys), path = request_has(&job->request, path);
    if (request_has(&job->request, key) == keys || (keys && path))
        return err_set(err, ERR_INVALID, "'del' needs either key (and path) or keys");
    return job_write(job, del_apply, err);
}

static bool update_apply(struct job *job, struct txn *txn, struct value **answer, struct err *err)
{
    (void)answer;
    return write_update(txn, job->value, err);
}

bool handle_update(struct job *job, struct err *err)
{
    return job_write(job, update_apply, err);
}

static bool clear_apply(struct job *job, struct txn *txn, struct value **answer, struct err *err)
{
    (void)job, (void)answer, (void)err;
    write_clear(txn);
    return true;
}

bool handle_clear(struct job *job, struct err *err)
{
    return job_write(job, clear_apply, err);
}

static bool replace_apply(struct job *job, struct txn *txn, struct value **answer, struct err *err)
{
    (void)answer;
    return write_replace(txn, job->value, err);
}

bool handle_replace(struct job *job, struct err *err)
{
    return job_write(job, replace_apply, err);
}

static bool setdefault_apply(struct job *job, struct txn *txn, struct value **answer, struct err *err)
{
    return (*answer = write_setdefault(txn, job_key(job), job_path(job), job->value, err)) != NULL;
}

bool handle_setdefault(struct job *job, struct err *err)
{
    return job_write(job, setdefault_apply, err);
}

static bool pop_apply(struct job *job, struct txn *txn, struct value **answer, struct err *err)
{
    return (*answer = write_pop(txn, job_key(job), job_path(job), job->value, err)) != NULL;
}

bool handle_pop(struct job *job, struct err *err)
{
    return job_write(job, pop_apply, err);
}

static bool popitem_apply(struct job *job, struct txn *txn, struct value **answer, struct err *err)
{
    (void)job;
    return (*answer = write_popitem(txn, err)) != NULL;
}

bool handle_popitem(struct job *job, struct err *err)
{
    return job_write(job, popitem_apply, err);
}

static bool incr_apply(struct job *job, struct txn *txn, struct value **answer, struct err *err)
{
    AUTO_VALUE struct value *by = job->value ? value_ref(job->value) : value_int(1);
    return (*answer = write_incr(txn, job_key(job), job_path(job), by, err)) != NULL;
}

bool handle_incr(struct job *job, struct err *err)
{
    return job_write(job, incr_apply, err);
}

static bool append_apply(struct job *job, struct txn *txn, struct value **answer, struct err *err)
{
    return (*answer = write_append(txn, job_key(job), job_path(job), job->value, err)) != NULL;
}

bool handle_append(struct job *job, struct err *err)
{
    return job_write(job, append_apply, err);
}

static bool extend_apply(struct job *job, struct txn *txn, struct value **answer, struct err *err)
{
    return (*answer = write_extend(txn, job_key(job), job_path(job), job->value, err)) != NULL;
}

bool handle_extend(struct job *job, struct err *err)
{
    return job_write(job, extend_apply, err);
}

static bool remove_apply(struct job *job, struct txn *txn, struct value **answer, struct err *err)
{
    return (*answer = write_remove(txn, job_key(job), job_path(job), job->value, err)) != NULL;
}

bool handle_remove(struct job *job, struct err *err)
{
    return job_write(job, remove_apply, err);
}

static bool patch_apply(struct job *job, struct txn *txn, struct value **answer, struct err *err)
{
    (void)answer;
    return request_bool(&job->request, merge) ? write_merge(txn, job->value, err)
                                              : write_patch(txn, job->value, err);
}

bool handle_patch(struct job *job, struct err *err)
{
    return job_write(job, patch_apply, err);
}

static bool cas_apply(struct job *job, struct txn *txn, struct value **answer, struct err *err)
{
    bool at = request_has(&job->request, at), absent = request_bool(&job->request, absent);
    const struct value *old = NULL, *new = job->value;
    if (!at && !absent) {
        if (value_type(job->value) != VALUE_LIST || value_len(job->value) != 2)
            return err_set(err, ERR_INVALID, "'cas' needs a value frame [OLD, NEW]");
        old = list_at(job->value, 0);
        new = list_at(job->value, 1);
    }
    if (!write_cas(txn, job_key(job), job_path(job), old, at ? request_int(&job->request, at) : -1, new, err))
        return false;
    *answer = value_ref(new);
    return true;
}

bool handle_cas(struct job *job, struct err *err)
{
    if (request_has(&job->request, at) &&
        (request_bool(&job->request, absent) || request_int(&job->request, at) < 0))
        return err_set(err, ERR_INVALID, "'cas' takes either 'at' (a revision, from 0) or 'absent'");
    return job_write(job, cas_apply, err);
}
