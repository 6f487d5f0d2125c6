-- A course's row is written whenever anything of the course is, so that its xmin and updated_at are a version
-- of the whole: caches compare it (persistence/cache.py). Once per transaction is enough.

CREATE FUNCTION touch_course(changed text) RETURNS void LANGUAGE sql AS $$
    UPDATE course SET updated_at = clock_timestamp()
    WHERE id = changed AND xmin <> pg_current_xact_id()::xid
$$;

CREATE FUNCTION touch_course_of_item() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM touch_course(course) FROM (SELECT OLD.course UNION SELECT NEW.course) AS changed (course)
        WHERE course IS NOT NULL ORDER BY course;
    RETURN NULL;
END $$;

CREATE FUNCTION touch_course_of_version() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM touch_course(course) FROM item WHERE id IN (OLD.item, NEW.item) ORDER BY course;
    RETURN NULL;
END $$;

CREATE FUNCTION touch_course_itself() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.updated_at := clock_timestamp();
    RETURN NEW;
END $$;

CREATE TRIGGER touch_course AFTER INSERT OR UPDATE OR DELETE ON item
    FOR EACH ROW EXECUTE FUNCTION touch_course_of_item();
CREATE TRIGGER touch_course AFTER INSERT OR UPDATE OR DELETE ON item_version
    FOR EACH ROW EXECUTE FUNCTION touch_course_of_version();
CREATE TRIGGER touch_course BEFORE UPDATE ON course
    FOR EACH ROW EXECUTE FUNCTION touch_course_itself();
