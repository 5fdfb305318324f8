-- The contents of one side's two schemas, {a} and {b}. Statements end with a blank line. Client number i writes to the tables whose
-- names end with i, and to no others: so nobody ever waits for another's locks.

create or replace database {a} character set utf8mb4

create or replace database {b} character set latin1

create table {a}.words (id int primary key, w varchar(20) not null)

insert into {a}.words values (1, 'one'), (2, 'zwei'), (3, 'três'), (4, 'four')

create table {b}.words (id int primary key, w varchar(20) not null)

insert into {b}.words values (1, 'other')

create function {a}.f_set(x int) returns int begin set @fv = x; return x; end

create function {a}.f_get() returns int return @fv

create function {a}.f_last() returns bigint return last_insert_id()

create function {a}.f_lock(x varchar(60)) returns int return get_lock(x, 0)

create function {a}.f_warn(x varchar(20)) returns int return cast(x as int)

create procedure {a}.p_rows() begin select 1 as one; select id, w from words order by id; end

create procedure {a}.p_nothing() begin declare x int; set x = 1; end

create procedure {a}.p_set(x int) begin set @pv = x; set @pw = concat('w', x); end

create procedure {a}.p_out(in x int, out y int, inout z int) begin set y = x + 1; set z = ifnull(z, 0) + x; end

create procedure {a}.p_zone(x varchar(20)) set time_zone = x

create procedure {a}.p_names() set names latin1

create procedure {a}.p_begin() start transaction

create procedure {a}.p_commit() commit

create procedure {a}.p_auto(x int) set autocommit = x

create procedure {a}.p_temp() create temporary table hidden_tmp (x int)

create procedure {a}.p_text(x text) execute immediate x

create procedure {a}.p_fails() begin select 1; select * from no_such_in_p; select 2; end

create procedure {a}.p_signal() signal sqlstate '45000' set message_text = 'mine', mysql_errno = 5555

create procedure {a}.p_caught() begin declare continue handler for sqlexception begin end; insert into no_such_in_p values (1); select 'after'; end

