-- From which version a version was made; its `edits` are in content ms of that one (R9).

ALTER TABLE item_version ADD COLUMN from_version text,
    ADD FOREIGN KEY (item, from_version) REFERENCES item_version (item, version);
