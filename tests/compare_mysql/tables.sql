-- The tables of client {i} in both schemas, as setup.sql has the rest.

create or replace table {a}.t{i} (id int auto_increment primary key, v int, s varchar(12) default 'x', unique key (v))

insert into {a}.t{i} values (1, 10, 'a'), (2, 20, 'b'), (3, 30, 'ß')

create or replace table {a}.u{i} (id int primary key, n int not null, d decimal(4,1), e enum('a', 'b'))

insert into {a}.u{i} values (1, 1, 1.5, 'a'), (2, 2, null, 'b')

create or replace table {a}.g{i} (id int auto_increment primary key, v int)

create or replace trigger {a}.g{i}_set before insert on {a}.g{i} for each row set @trg = new.v, @times = ifnull(@times, 0) + 1

create or replace table {b}.t{i} (id int auto_increment primary key, v int, s varchar(12) default 'y', unique key (v))

insert into {b}.t{i} values (7, 70, 'other')

drop table if exists {a}.n{i}, {a}.m{i}, {a}.own{i}, {b}.own{i}, {b}.n{i}, {b}.m{i}

drop procedure if exists {a}.q{i}

drop procedure if exists {b}.q{i}

drop database if exists {a}x{i}

drop view if exists {a}.v{i}

