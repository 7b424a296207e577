-- Why: a title that a model gives is a kind of work of its own, so that no answer waits for one.
alter table work drop constraint work_kind_check;
alter table work add constraint work_kind_check check (kind in ('turn', 'run', 'title', 'tool'));
