"""What readers say: kept safely, gathered in studies, analysed, exported.

The store, one for the process, made at the start and closed at the end:

    store = Store(settings.data_url or settings.data_dir)   # StoreInUseError: another process has it open
    saved = store.record(Event("feedback", session=…, answers={"agreement": "partly"}, …))
    saved.id, saved.seq, saved.time           # returned after the commit; StoreError says "Not saved: …"
    store.record(Event("feedback", …, replaces=saved.id))   # a correction, as a row of its own
    store.record(Event("withdrawal", session=…, replaces=saved.id))   # undo
    store.rows("SELECT * FROM answers WHERE session = ?", [session])  # what stands; `events` is everything
    store.notices, store.problem              # damaged files set aside; why saving fails just now, or None

`events.COLUMNS` says what is kept. In the Probe tab the question is `agreement` (yes, partly, elsewhere,
absent), with `confidence` (1 to 5) beside it; both go in `answers`. Give an `id` made in the browser
(a UUID) so that a request sent again is kept once.

A study, for the page:

    studies = read_studies(folder)                       # study_file: {id: Study}; or SettingsError
    visitor = sign_in(code, studies.values(), settings.coordinator_code)   # access; AccessError
    require(may_read(visitor, study.id, reader))         # before anything a reader asks for
    require(may_see_results(visitor, study.id))          # before progress, results and export
    has_consented(store, study, reader); give_consent(store, study, reader, session)    # readings
    slot = next_slot(store, study, reader)               # a Slot; Waiting in the wash-out; None at the end
    show_slot(study, slot, total)                        # all that the reader's page may be told; access
    load_image(study, slot.case)                         # study; an afloc.Image
    may_see_model(slot)                                  # access; False when unaided: send no map, no score
    resume(store, study, reader, slot.index)             # the draft or answer last saved there, a row or None
    save_draft(store, study, reader, slot.index, answers=…, regions=…, visible_ms=…)
    save_reading(store, study, reader, slot.index, answers, regions, id=…, session=…, visible_ms=…, comment=…,
                 image_digest=…, image_width=…, model=…, score=…, model_regions=…, …)
    may_open(…, index); may_edit(…, index)               # for Back
    progress(store, study)                               # a Progress for each reader

Results, pure functions of rows; a result is good for as long as `store.last_seq` stays:

    overview(store)                                      # data_frames: the Probe tab's answers counted
    chosen = select_versions(store, study.id, version)   # versions: whose readings count; chosen.notes say it
    study = chosen.study
    frame = study_frame(store, study, chosen.versions)   # data_frames: a DataFrame, one reading a row
    found = analyse(study, frame, references(store, study))   # results: Results
    times_figure(found.times), roc_figure(found.curves, found.roc), …       # figures: plotly
    export(store, path, format, study.id); import_rows(store, path)         # export
    import_reference(store, study, path)                 # reference_standard
    Backup(store, settings.backup_dir, settings.backup_minutes)             # backup: there and back

Nothing is imported here: `--help` should not wait for DuckDB.
"""
